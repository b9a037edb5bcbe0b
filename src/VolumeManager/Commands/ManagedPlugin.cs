using System.CommandLine;

namespace VolumeManager.Commands;

/// <summary>
/// An engine starts a managed plugin that ends anew at once, without a pause and without end, and that in the middle of an <c>enable</c> that waits for its socket.
/// So one that cannot start says why, and waits until the engine has given up and ends it.
/// </summary>
internal static class ManagedPlugin
{
    // enable gives up after some ten seconds. An engine that starts anew gets a new attempt after this.
    static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    internal static Option<bool> Flag() => new("--managed-plugin") { Description = "Run as an engine's managed plugin: what cannot start says why and waits for SIGTERM, for the engine would start it anew at once" };

    /// <returns>The exit code.</returns>
    internal static async Task<int> EndAsync(int exitCode, CancellationToken cancellation)
    {
        try
        {
            if (exitCode != 0) await Task.Delay(Patience, cancellation);
        }
        catch (OperationCanceledException)
        {
            // SIGTERM
        }

        return exitCode;
    }
}
