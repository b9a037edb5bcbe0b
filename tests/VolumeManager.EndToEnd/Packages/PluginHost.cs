using VolumeManager.EndToEnd.Daemons;
using VolumeManager.EndToEnd.Engines;
using VolumeManager.EndToEnd.Hosts;
using VolumeManager.EndToEnd.Machines;

namespace VolumeManager.EndToEnd.Packages;

/// <summary>One machine with an engine, and volman as a managed plugin of it.</summary>
internal sealed class PluginHost : DockerUser, IAsyncDisposable
{
    public const string Plugin = "volman";

    /// <summary>The driver as the engine lists it.</summary>
    public const string Driver = "volman:latest";

    public static readonly TimeSpan EngineGrace = TimeSpan.FromSeconds(3);
    static readonly TimeSpan s_buildDeadline = TimeSpan.FromMinutes(10);

    readonly Machine _machine;

    PluginHost(MachineFolder folder, Machine machine, string? data)
        : base(new Engine(machine, liveRestore: false))
    {
        (Folder, _machine, Data) = (folder, machine, data ?? folder["state/volumes"]);
        Catalog = new Catalog(Path.Combine(State, "catalog.db"));
        Directory.CreateDirectory(State);
        Directory.CreateDirectory(Data);
    }

    public MachineFolder Folder { get; }

    /// <summary>What the plugin has as state.source.</summary>
    public string State => Folder["state"];

    /// <summary>What it has as data.source.</summary>
    public string Data { get; }

    public Catalog Catalog { get; }

    /// <summary>What a user gives to `plugin set`, with times that suit a test.</summary>
    public IReadOnlyList<string> Settings =>
    [
        $"state.source={State}", $"data.source={Data}", $"VOLMAN_ENGINE_GRACE={EngineGrace.TotalSeconds}s", "VOLMAN_RECONCILE_INTERVAL=1s", "VOLMAN_USAGE_INTERVAL=0",
    ];

    /// <summary>Names of volumes that are mounted where the engine takes them from.</summary>
    public IReadOnlyList<string> KernelMounts =>
        [.. _machine.MountsBelow(Folder["docker/plugins"]).Where(path => path.Contains("/propagated-mount/", StringComparison.Ordinal)).Select(path => Path.GetFileName(path)).Distinct()];

    /// <summary>All that is mounted for plugins, their own directories too.</summary>
    public IReadOnlyList<string> PluginMounts => _machine.MountsBelow(Folder["docker/plugins"]);

    /// <summary>The host's number of the volman in the plugin; null when none runs.</summary>
    public int? Volman => ProcessTable.DescendantsOf(_machine.Init).Where(pid => ProcessTable.NameOf(pid) == "volman").Cast<int?>().SingleOrDefault();

    /// <param name="name">What the machine calls itself.</param>
    /// <param name="cable">Its way to others.</param>
    /// <param name="data">A folder that several hosts share; null for one of its own.</param>
    /// <param name="shared">More folders that it sees as they do.</param>
    public static async Task<PluginHost> StartAsync(EngineKind kind, string name = "e2e-host", Cable? cable = null, string? data = null, params string[] shared)
    {
        var folder = new MachineFolder();
        var machine = new Machine(folder, EngineRoot.Of(kind), name, [.. shared, .. data is null ? Array.Empty<string>() : [data]], cable);
        var host = new PluginHost(folder, machine, data);
        try
        {
            await machine.BootAsync();
            await host.ConfigureEngineAsync(liveRestore: false);
            await host.Engine.StartAsync();
            await Image.WriteAsync(folder["bb.tar"], EngineRoot.Find("/", "busybox")!);
            await host.DockerAsync("import", folder["bb.tar"], Image.Name);
            return host;
        }
        catch
        {
            await host.DisposeAsync();
            throw;
        }
    }

    /// <summary>What the engine reads at its next start.</summary>
    public async Task ConfigureEngineAsync(bool liveRestore) => await InsideAsync("sh", "-c",
        $$"""echo '{"live-restore": {{(liveRestore ? "true" : "false")}}, "insecure-registries": ["{{PluginRegistry.OwnAddress}}", "{{PluginRegistry.FirstAddress}}"]}' > /etc/docker/daemon.json""");

    /// <summary>plugin/build.sh as a user runs it; gives what it printed.</summary>
    public Task<string> BuildAsync(params IEnumerable<string> arguments) => OutsideAsync([Path.Combine(DaemonBinary.RepositoryRoot(), "plugin/build.sh"), .. arguments]);

    public Task ImportAsync(PluginImage image) => OutsideAsync("docker", "import", "--change", "ENTRYPOINT [\"/opt/volman/volman\"]", image.Path, PluginImage.Name);

    public async Task<string> InsideAsync(params IEnumerable<string> command) => (await _machine.RunAsync(Engine.Deadline, command)).MustSucceed().Output;

    /// <summary>Unmounts on the host what the engine has mounted for the plugin's mounts. The plugin has its own still.</summary>
    /// <remarks>Where the file system below is shared too, as systemd has it, what the plugin mounts reaches the host through that one, and nothing is lost: so it is made private.</remarks>
    public async Task TakePropagatedMountAsync() => await InsideAsync("sh", "-ec", $"""
        cd '{Folder["docker/plugins"]}/{await DockerAsync($"plugin inspect --format {{{{.Id}}}} {Plugin}")}'
        umount --lazy "$PWD/propagated-mount"
        mount --make-private "$(findmnt --noheadings --output TARGET --target "$PWD/propagated-mount")"
        """);

    public Task<PluginRegistry> StartRegistryAsync() => PluginRegistry.StartAsync(_machine);

    public async Task<bool> IsEnabledAsync() => await DockerAsync($"plugin inspect --format {{{{.Enabled}}}} {Plugin}") == "true";

    /// <summary>A call to volman past the engine, by a process of the machine. Gives the answer.</summary>
    public async Task<string> CallVolmanAsync(string verb, string request) => (await Command.RunAsync(Engine.Deadline, "nsenter",
        ["--target", $"{_machine.Init}", "--pid", "--", "curl", "--silent", "--show-error", "--unix-socket", await SocketAsync(), "--data", request, $"http://volman/VolumeDriver.{verb}"])).MustSucceed().Output;

    /// <summary>The socket at which the engine finds the plugin, by a way that is short enough for a socket's path.</summary>
    public async Task<string> SocketAsync()
    {
        var folder = Folder["p"];
        File.Delete(folder);
        File.CreateSymbolicLink(folder, Path.Combine(Folder.Plugins, await DockerAsync($"plugin inspect --format {{{{.Id}}}} {Plugin}")));
        return Path.Combine(folder, "volman.sock");
    }

    public async ValueTask DisposeAsync() => await _machine.DisposeAsync();

    /// <summary>A program of this machine that talks to the engine in the other.</summary>
    async Task<string> OutsideAsync(params IEnumerable<string> command) =>
        (await Command.RunAsync(s_buildDeadline, "env", [$"DOCKER_HOST=unix://{Folder["docker.sock"]}", $"DOCKER_CONFIG={Folder["cli"]}", .. command])).MustSucceed().Output;
}
