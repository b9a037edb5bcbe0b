using System.Diagnostics;

namespace VolumeManager.EndToEnd.Packages;

/// <summary>What a show of the demonstration printed.</summary>
internal sealed record ComposeShow(string Text)
{
    /// <summary>How an engine finds what belongs to the demonstration.</summary>
    public const string Project = "label=com.docker.compose.project=volman-demo";

    /// <summary>The kinds of things of which nothing may be left after <c>down --volumes</c>.</summary>
    public static readonly string[][] Things = [["ps", "--all"], ["volume", "ls"], ["network", "ls"]];

    public static async Task<ComposeShow> RunAsync(Func<Task<Command>> command, ITestOutputHelper output)
    {
        var clock = Stopwatch.StartNew();
        var show = await command();
        output.WriteLine($"{show.Output}\n\nthe show, with what it waits for: {clock.Elapsed.TotalSeconds:0.0} s");
        return new ComposeShow(show.MustSucceed().Output);
    }

    public IReadOnlyList<string> Lines(string text) => [.. Text.Split('\n').Where(line => line.Contains(text, StringComparison.Ordinal) && !line.Contains('$', StringComparison.Ordinal))];

    public ComposeShow Says(string text)
    {
        Assert.Contains(text, Text, StringComparison.Ordinal);
        return this;
    }

    /// <summary>It came to its end.</summary>
    public ComposeShow Steps(int count) => Says($"\n{count}. ");

    /// <summary>So many shows have left their line in the volume that is kept.</summary>
    public ComposeShow Kept(int shows)
    {
        Assert.Equal(shows, Lines("   show of ").Count);
        return this;
    }
}
