using VolumeManager.EndToEnd.Calls;
using VolumeManager.EndToEnd.Daemons;
using VolumeManager.EndToEnd.Engines;
using VolumeManager.EndToEnd.Machines;

namespace VolumeManager.EndToEnd.Hosts;

/// <summary>One machine with an engine, the volume daemon, and between them, where asked for, the recorder of their calls.</summary>
internal sealed class Host : IAsyncDisposable
{
    readonly Machine _machine;

    Host(EngineKind kind, bool liveRestore, bool recorded, HostPlace place)
    {
        string[] shared = [DaemonBinary.Folder, DaemonBinary.DotnetRoot, .. place.Shared];
        var folder = new MachineFolder();
        var engineSocket = Path.Combine(folder.Plugins, "volman.sock");
        var daemonSocket = recorded ? folder["volman.sock"] : engineSocket;
        _machine = new Machine(folder, EngineRoot.Of(kind), place.Settings.HostName, shared, place.Cable);
        Folder = folder;
        Engine = new Engine(_machine, liveRestore);
        Daemon = new Daemon(_machine, daemonSocket, place.Settings);
        Recorder = recorded ? new CallRecorder(engineSocket, daemonSocket) : null;
    }

    public MachineFolder Folder { get; }
    public Engine Engine { get; }
    public Daemon Daemon { get; }
    public CallRecorder? Recorder { get; }

    public static async Task<Host> StartAsync(EngineKind kind, bool liveRestore = false, bool recorded = true, HostPlace? place = null)
    {
        var host = new Host(kind, liveRestore, recorded, place ?? HostPlace.Alone);
        try
        {
            await host._machine.BootAsync();
            await host.Daemon.StartAsync();
            await host.Engine.StartAsync();
            await Image.WriteAsync(host.Folder["image.tar"], EngineRoot.Find("/", "busybox") ?? EngineRoot.Find(EngineRoot.Of(kind), "busybox")!);
            (await host.Engine.DockerAsync("import", host.Folder["image.tar"], Image.Name)).MustSucceed();
            return host;
        }
        catch
        {
            await host.DisposeAsync();
            throw;
        }
    }

    /// <summary>Power-off and power-on: every process and every kernel mount is gone, the disk and the records on it stay, the boot id is new.</summary>
    public async Task PowerCycleAsync()
    {
        await PowerOffAsync();
        await PowerOnAsync();
    }

    public Task PowerOffAsync() => _machine.PowerOffAsync();

    public async Task PowerOnAsync()
    {
        await _machine.BootAsync();
        await Daemon.StartAsync();
        await Engine.StartAsync();
    }

    public async ValueTask DisposeAsync()
    {
        if (Recorder is not null)
            await Recorder.DisposeAsync();
        await _machine.DisposeAsync();
    }
}
