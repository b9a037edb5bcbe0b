using System.CommandLine;
using VolumeManager.Hosts;
using VolumeManager.Linux;

namespace VolumeManager.Commands;

/// <summary>What is different in an engine's managed plugin.</summary>
internal static class ManagedPlugin
{
    // `docker plugin enable` gives up after some ten seconds. An engine that starts anew gets a new attempt after this.
    static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    static readonly TimeSpan LookInterval = TimeSpan.FromSeconds(10);
    static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(100);

    internal static Option<bool> Flag() => new("--managed-plugin")
    {
        Description = "Run as an engine's managed plugin: serve no other state directory than before, and when it cannot start say why and wait for SIGTERM, for the engine would start it anew at once",
    };

    /// <summary>
    /// An upgrade of a plugin gives it back the default directories of its configuration, whatever was set. With a new state directory it would know no volume, and the engine
    /// would forget them all. So the plugin's own directory, which upgrades leave alone, remembers whose mounts it has.
    /// </summary>
    /// <exception cref="VolumeException">The state directory is another host's, or a new one.</exception>
    internal static void Recognise(Settings settings)
    {
        // No volume's name begins with a dot.
        var memory = Path.Combine(settings.MountRoot, ".host-id");
        try
        {
            Directory.CreateDirectory(settings.MountRoot, DirectoryRoot.Passable);
            var known = File.Exists(memory) ? File.ReadAllText(memory) : null;
            var hostId = Path.Combine(settings.StateDirectory, "host-id");
            if (known is not null && (!File.Exists(hostId) || File.ReadAllText(hostId).Trim() != known))
            {
                throw new VolumeException("the state directory is not the one that this plugin has used until now: after an upgrade set it again (docker plugin set PLUGIN state.source=DIR data.source=DIR); to begin anew remove the plugin and install it");
            }

            using var state = StateDirectory.Open(settings.StateDirectory);
            if (known is null) DurableFile.Write(memory, state.HostId.ToString());
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new VolumeException($"the directory {settings.MountRoot} cannot be used ({e.Message}): mend it, or name another with --mount-root", e);
        }
    }

    /// <summary>
    /// An engine that was killed ends the plugin that survived it, starts it anew, and may take the propagated mount away only then (moby, Manager.HandleExitEvent; seen with 20.10):
    /// what is mounted there reaches no container. For a plugin that ends it makes that mount anew.
    /// </summary>
    /// <exception cref="VolumeException">That is so, and was not tried just now.</exception>
    internal static void EndIfCutOff(Settings settings)
    {
        if (MountPropagation.ReachesInit(settings.MountRoot)) return;
        // Where process 1 is not in the engine's mount namespace it never sees our mounts, and all is well.
        var tried = Path.Combine(settings.MountRoot, ".started-anew");
        if (File.Exists(tried) && DateTime.UtcNow - File.GetLastWriteTimeUtc(tried) < TimeSpan.FromMinutes(1)) return;
        File.WriteAllText(tried, "");
        throw new CutOffException($"what is mounted under {settings.MountRoot} would not be seen by the engine: ending, to be started anew with a mount that is");
    }

    /// <summary>The engine may take the mount away a moment after this program has looked. Ends what is served then.</summary>
    static void Watch(Settings settings, CancellationTokenSource over)
    {
        // Where process 1 has never seen our mounts, it is no sign of anything that it does not.
        if (!MountPropagation.ReachesInit(settings.MountRoot)) return;
        try
        {
            MountPropagation.Watch(Look, LookInterval, over.Token);
        }
        catch (CutOffException)
        {
            over.Cancel();
            throw;
        }

        void Look()
        {
            if (MountPropagation.ReachesInit(settings.MountRoot)) return;
            // Old kernels leave lines out of a table that changes while it is read.
            over.Token.WaitHandle.WaitOne(Pause);
            EndIfCutOff(settings);
        }
    }

    sealed class CutOffException(string message) : VolumeException(message);

    /// <summary>An engine starts a plugin that ends anew at once, without a pause and without end, and that in the middle of an <c>enable</c> that waits for its socket.
    /// So one that cannot start waits until the engine has given up and ends it.</summary>
    internal static async Task ServeAsync(Func<(Settings Settings, LogSettings Log)> bind, Func<(Settings Settings, LogSettings Log), CancellationToken, Task> serve, CancellationToken cancellation)
    {
        try
        {
            var bound = bind();
            Recognise(bound.Settings);
            EndIfCutOff(bound.Settings);
            using var over = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
            var watching = Task.Factory.StartNew(() => Watch(bound.Settings, over), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
            try
            {
                await serve(bound, over.Token);
            }
            finally
            {
                await over.CancelAsync();
                await watching;
            }
        }
        catch (Exception e) when (e is VolumeException and not CutOffException or Catalog.CatalogSchemaException)
        {
            await Console.Error.WriteLineAsync($"volman: {e.Message}");
            // SIGTERM ends it before.
            await Task.Delay(Patience, CancellationToken.None);
            throw;
        }
    }
}
