using System.Diagnostics;

namespace VolumeManager.Tests.Commands;

/// <summary>The program, run as a person runs it: the published one that VOLMAN_BIN names, which starts in a tenth of the time, or the build beside the tests.</summary>
internal static class VolmanProcess
{
    internal sealed record Ended(int ExitCode, string Output, string Errors);

    /// <summary>The program's command line, without arguments.</summary>
    internal static string[] Program { get; } = Environment.GetEnvironmentVariable("VOLMAN_BIN") is { Length: > 0 } published && File.Exists(published)
        ? [published]
        : ["dotnet", Path.Combine(AppContext.BaseDirectory, "volman.dll")];

    /// <summary>Starts it and waits for nothing.</summary>
    /// <param name="variables">Set in its environment beside what is there.</param>
    internal static RunningProgram Start(IEnumerable<string> arguments, IReadOnlyDictionary<string, string>? variables = null) => new("volman", StartInfo(arguments, variables));

    /// <summary>Runs it to its end.</summary>
    internal static Task<Ended> RunAsync(params string[] arguments) => RunAsync(arguments, null);

    internal static async Task<Ended> RunAsync(IEnumerable<string> arguments, IReadOnlyDictionary<string, string>? variables)
    {
        var command = await Command.RunAsync(StartInfo(arguments, variables), TimeSpan.FromMinutes(3));
        return new Ended(command.ExitCode, command.StandardOutput, command.StandardError);
    }

    internal static ProcessStartInfo StartInfo(IEnumerable<string> arguments, IReadOnlyDictionary<string, string>? variables = null)
    {
        var start = new ProcessStartInfo(Program[0], [.. Program[1..], .. arguments]);
        foreach (var (name, value) in variables ?? new Dictionary<string, string>()) start.Environment[name] = value;
        return start;
    }

    /// <summary>It refused in one sentence on the error stream, said nothing else, and showed no password.</summary>
    internal static void AssertRefused(string expected, Ended ended)
    {
        Assert.Equal((1, ""), (ended.ExitCode, ended.Output));
        Assert.Matches($"^volman: {expected}\n$", ended.Errors);
        Assert.Equal(1, ended.Errors.Count(c => c == '\n'));
        Assert.DoesNotContain("secret", ended.Errors, StringComparison.Ordinal);
    }
}
