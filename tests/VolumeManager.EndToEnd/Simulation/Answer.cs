namespace VolumeManager.EndToEnd.Simulation;

internal enum Outcome
{
    Done,

    /// <summary>With an Err.</summary>
    Refused,

    /// <summary>The connection broke: what became of the call is not known.</summary>
    None,
}

/// <summary>What an engine hears of its call.</summary>
internal sealed record Answer(Outcome Outcome, string Error = "")
{
    /// <summary>It was refused because the catalog could not be asked.</summary>
    public bool IsAway => Outcome == Outcome.Refused && (Error.Contains("catalog is away", StringComparison.Ordinal) || Error.Contains("does not answer", StringComparison.Ordinal));

    public override string ToString() => Outcome == Outcome.Refused ? $"refused: {Error}" : Outcome == Outcome.None ? "no answer" : "done";
}

/// <summary>An act and what came of it. What befalls a host, and has no answer, is done.</summary>
internal sealed record Result(Act Act, Answer Answer);
