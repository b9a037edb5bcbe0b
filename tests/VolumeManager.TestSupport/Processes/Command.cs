using System.Diagnostics;

namespace VolumeManager.TestSupport.Processes;

/// <summary>A program run to its end, within a deadline.</summary>
/// <param name="StandardOutput">What it wrote, as it wrote it.</param>
internal sealed record Command(string Line, int ExitCode, string StandardOutput, string StandardError)
{
    /// <summary>For the short commands of the system.</summary>
    static readonly TimeSpan s_patience = TimeSpan.FromMinutes(2);

    public bool Succeeded => ExitCode == 0;

    /// <summary>Standard output without white space at its end.</summary>
    public string Output => StandardOutput.TrimEnd();

    /// <summary>Standard error without white space at its end.</summary>
    public string Errors => StandardError.TrimEnd();

    public static Task<Command> RunAsync(TimeSpan deadline, string program, params IEnumerable<string> arguments) =>
        RunAsync(new ProcessStartInfo(program, arguments), deadline);

    /// <summary>Runs it and reads both of its streams fully; at the deadline it is killed with its descendants.</summary>
    public static async Task<Command> RunAsync(ProcessStartInfo start, TimeSpan deadline)
    {
        start.RedirectStandardInput = start.RedirectStandardOutput = start.RedirectStandardError = true;
        using var process = Process.Start(start)!;
        process.StandardInput.Close();
        var output = process.StandardOutput.ReadToEndAsync();
        var errors = process.StandardError.ReadToEndAsync();
        var line = $"{start.FileName} {string.Join(' ', start.ArgumentList)}";
        try
        {
            // The pipes too: a grandchild that keeps them open would hold us past the deadline.
            await Task.WhenAll(process.WaitForExitAsync(), output, errors).WaitAsync(deadline);
        }
        catch (TimeoutException e)
        {
            process.Kill(entireProcessTree: true);
            throw new TimeoutException($"Not done within {deadline.TotalSeconds:0} s: {line}", e);
        }
        return new Command(line, process.ExitCode, await output, await errors);
    }

    /// <summary>Runs a short command of the system, which must succeed, and returns its output.</summary>
    public static async Task<string> OutputOfAsync(string program, params IEnumerable<string> arguments) =>
        (await RunAsync(s_patience, program, arguments)).MustSucceed().Output;

    public Command MustSucceed() =>
        Succeeded ? this : throw new InvalidOperationException($"Exit code {ExitCode} from: {Line}\n{Output}\n{Errors}");
}
