using System.Diagnostics;

namespace VolumeManager.Tests.Linux;

/// <summary>A command of the system, run to its end.</summary>
internal static class ShellCommand
{
    /// <returns>What it wrote, without the line's end.</returns>
    internal static async Task<string> RunAsync(string program, params string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(program, arguments) { UseShellExecute = false, RedirectStandardOutput = true, RedirectStandardError = true })!;
        var errors = process.StandardError.ReadToEndAsync();
        var output = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        Assert.True(process.ExitCode == 0, $"{program} {string.Join(' ', arguments)} ended with {process.ExitCode}: {await errors}");
        return output.TrimEnd('\n');
    }

    internal static Task<string> BindAsync(string source, string target) => RunAsync("mount", "--bind", source, target);

    /// <summary>Owner, group and octal mode, such as <c>0:0 755</c>.</summary>
    internal static Task<string> OwnerAndModeAsync(string path) => RunAsync("stat", "-c", "%u:%g %a", path);
}
