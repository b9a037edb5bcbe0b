using VolumeManager.Benchmarks.Engine;

namespace VolumeManager.Benchmarks.Servers;

/// <summary>One host's directories: a catalog, the volumes, the mounts. A volman serves it, ends, and another one goes on with it.</summary>
internal sealed class VolmanHome(Workspace workspace, string executable, string name)
{
    readonly string _root = Path.Combine(workspace.Root, name);

    internal string SocketPath { get; } = Path.Combine(workspace.Sockets, name + ".sock");

    /// <summary>Starts a volman and returns at once, before it listens.</summary>
    internal ServerProcess Start()
    {
        foreach (var folder in new[] { "state", "mnt", "data" })
            Directory.CreateDirectory(Path.Combine(_root, folder));
        return ServerProcess.Start(workspace, SocketPath, executable,
        [
            "serve", "--socket", SocketPath, "--admin-socket", SocketPath + ".admin", "--state-dir", Path.Combine(_root, "state"),
            "--mount-root", Path.Combine(_root, "mnt"), "--data-root", Path.Combine(_root, "data"), "--host-name", "bench",
        ], "volman ready");
    }

    internal async Task<ServerProcess> StartAndAwaitAsync()
    {
        var server = Start();
        await server.ReadyAsync();
        await server.FirstAnswerAsync(EngineRequest.Activate());
        return server;
    }

    /// <summary>Also the mounts, which outlive a volman that ends.</summary>
    internal void Delete() => ScratchFolder.Delete(_root);
}
