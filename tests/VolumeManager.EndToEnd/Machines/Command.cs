using System.Diagnostics;

namespace VolumeManager.EndToEnd.Machines;

/// <summary>A program run to its end, within a deadline.</summary>
internal sealed record Command(string Line, int ExitCode, string Output, string Errors)
{
    public bool Succeeded => ExitCode == 0;

    public static async Task<Command> RunAsync(TimeSpan deadline, string program, params IEnumerable<string> arguments)
    {
        var start = new ProcessStartInfo(program, arguments)
        {
            UseShellExecute = false,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            RedirectStandardInput = true,
        };
        using var process = Process.Start(start)!;
        process.StandardInput.Close();
        var output = process.StandardOutput.ReadToEndAsync();
        var errors = process.StandardError.ReadToEndAsync();
        var line = $"{program} {string.Join(' ', start.ArgumentList)}";
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
        return new Command(line, process.ExitCode, (await output).TrimEnd(), (await errors).TrimEnd());
    }

    public Command MustSucceed() =>
        Succeeded ? this : throw new InvalidOperationException($"Exit code {ExitCode} from: {Line}\n{Output}\n{Errors}");
}
