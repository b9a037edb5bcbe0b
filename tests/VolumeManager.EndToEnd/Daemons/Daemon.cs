using VolumeManager.EndToEnd.Machines;

namespace VolumeManager.EndToEnd.Daemons;

/// <summary>`volman serve` in the machine of an engine. Its state and mounts lie on the machine's disk; its data too, unless hosts share it.</summary>
internal sealed class Daemon(Machine machine, string socket, DaemonSettings settings)
{
    public const string HostName = DaemonSettings.LonelyHost;
    public static readonly TimeSpan EngineGrace = TimeSpan.FromSeconds(3);
    static readonly TimeSpan s_readyDeadline = TimeSpan.FromMinutes(3);

    readonly MachineFolder _folder = machine.Folder;
    readonly List<string> _earlierLog = [];
    RunningProgram? _program;

    public string Socket => socket;
    public string Binary { get; set; } = settings.Earlier ?? DaemonBinary.Path;
    public string AdminSocket => _folder["admin.sock"];
    public string MountRoot => _folder["mnt"];
    public string DataRoot => settings.DataRoot ?? _folder["volumes"];
    public Catalog Catalog { get; } = new(System.IO.Path.Combine(machine.Folder["state"], "catalog.db"));

    /// <summary>All that it logged, over its restarts.</summary>
    public IReadOnlyList<string> Log => [.. _earlierLog, .. _program?.Log ?? []];

    public IReadOnlyList<string> KernelMounts => machine.MountsBelow(MountRoot);

    public async Task StartAsync()
    {
        _earlierLog.AddRange(_program?.Log ?? []);
        _program = await machine.StartAsync("volman",
            [Binary, "serve", "--socket", socket, "--state-dir", _folder["state"], "--mount-root", MountRoot, "--data-root", DataRoot, "--host-name", settings.HostName,
                .. settings.SharedCatalog, .. Binary == settings.Earlier ? [] : Newer],
            $"DOTNET_ROOT={DaemonBinary.DotnetRoot}", $"VOLMAN_ENGINE_GRACE={EngineGrace.TotalSeconds}s", "VOLMAN_RECONCILE_INTERVAL=1s");
        await _program.UntilLoggedAsync("volman ready", s_readyDeadline);
    }

    /// <summary>What the release before does not know.</summary>
    // What is measured in the background would change what tests compare; the laboratory has it on.
    string[] Newer => ["--usage-interval", "0", "--admin-socket", AdminSocket, "--engine-socket", _folder["docker.sock"]];

    /// <summary>SIGTERM: it finishes what it does, and takes its socket away.</summary>
    public async Task TerminateAsync()
    {
        await _program!.TerminateAsync();
        Assert.False(File.Exists(socket), "SIGTERM leaves the socket behind, and every `docker volume ls` would wait 15 s for it.");
    }

    public Task KillAsync() => _program!.KillAsync();

    /// <summary>
    /// kill -9 between two calls. An engine repeats a call that found no socket or was refused, but nothing can repeat one whose
    /// connection broke: so the socket is out of sight until the calls under way are answered, and back when nobody listens to it.
    /// </summary>
    public async Task KillBetweenCallsAsync()
    {
        var aside = socket + ".aside";
        File.Move(socket, aside);
        await Poll.UntilAsync("no call is under way", () => OpenConnections() == 0);
        await KillAsync();
        File.Move(aside, socket);
    }

    /// <summary>
    /// /proc/net/unix: Num RefCount Protocol Flags Type St Inode Path; 00010000 in Flags is the listener.
    /// Path is the one that was bound: the daemon renames its socket once it listens, so the name may go on after ours.
    /// </summary>
    int OpenConnections() => File.ReadLines($"/proc/{machine.Init}/net/unix")
        .Select(line => line.Split(' ', StringSplitOptions.RemoveEmptyEntries))
        .Count(fields => fields.Length == 8 && fields[7].StartsWith(socket, StringComparison.Ordinal) && fields[3] != "00010000");
}
