using System.Diagnostics;

namespace VolumeManager.Tests.Mounts;

/// <summary>A process in a mount namespace of its own that has a volume mounted elsewhere, as a container has.</summary>
internal sealed class HoldingProcess : IAsyncDisposable
{
    readonly Process _process;

    HoldingProcess(Process process) => _process = process;

    internal static Task<HoldingProcess> StartAsync(string source, string at)
    {
        Directory.CreateDirectory(at);
        return RunAsync("mount --bind \"$0\" \"$1\" && umount \"$0\"", source, at);
    }

    /// <param name="script">What makes its mounts.</param>
    internal static async Task<HoldingProcess> RunAsync(string script, params string[] arguments)
    {
        var start = new ProcessStartInfo("unshare", ["--mount", "--propagation", "private", "sh", "-c", $"{script} && echo held && exec sleep 600", .. arguments])
        {
            UseShellExecute = false,
            RedirectStandardOutput = true,
        };
        var process = Process.Start(start)!;
        Assert.Equal("held", await process.StandardOutput.ReadLineAsync());
        return new HoldingProcess(process);
    }

    public async ValueTask DisposeAsync()
    {
        _process.Kill(entireProcessTree: true);
        await _process.WaitForExitAsync();
        _process.Dispose();
    }
}
