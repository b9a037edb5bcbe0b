using System.Diagnostics;
using VolumeManager.EndToEnd.Engines;
using VolumeManager.EndToEnd.Machines;

namespace VolumeManager.EndToEnd.Packages;

/// <summary>
/// An engine that can build images: with bridges of its own, and a way out through a network stack in user space, so that nothing of this
/// machine's own network is changed. The images that ours are built from are stand-ins (eng/stand-ins.sh).
/// </summary>
internal sealed class ImageEngine : IAsyncDisposable
{
    const string WayOut = "slirp4netns";
    const string NameServer = "10.0.2.3"; // slirp4netns answers there
    public const string BaseSdk = "mcr.microsoft.com/dotnet/sdk:10.0";
    const string Base = "debian:trixie-slim";
    static readonly TimeSpan s_starts = TimeSpan.FromMinutes(5);
    static readonly TimeSpan s_takesIn = TimeSpan.FromMinutes(12);

    readonly Machine _machine;
    Process? _wayOut;

    ImageEngine(EngineKind kind)
    {
        Kind = kind;
        Folder = new MachineFolder();
        Clone = new ImageClone(Folder["clone"]);
        _machine = new Machine(Folder, EngineRoot.Of(kind), "builder", []);
    }

    public EngineKind Kind { get; }
    public MachineFolder Folder { get; }
    public ImageClone Clone { get; }

    string Socket => Folder["docker.sock"];

    /// <summary>Null when it can be started here.</summary>
    public static string? WhyNot(EngineKind kind) => EngineRoot.WhyNot(kind)
        ?? (EngineRoot.Find("/", WayOut) is null ? $"Missing here: {WayOut}." : null)
        ?? (EngineRoot.Find("/", "git") is null ? "Missing here: git." : null);

    public static async Task<ImageEngine> StartAsync(EngineKind kind)
    {
        var engine = new ImageEngine(kind);
        try
        {
            await engine.Clone.MakeAsync();
            await engine._machine.BootAsync();
            await engine.OpenWayOutAsync();
            await engine.StartDockerAsync();
            await engine.TakeInAsync(Base);
            return engine;
        }
        catch
        {
            await engine.DisposeAsync();
            throw;
        }
    }

    /// <summary>Gives the engine stand-ins for base images, under their names.</summary>
    public async Task TakeInAsync(params IEnumerable<string> images) =>
        (await OnThisMachineAsync(s_takesIn, Path.Combine(Clone.Root, "eng/stand-ins.sh"), ["--import", .. images])).MustSucceed();

    /// <summary>A program of this machine with its docker talking to this engine.</summary>
    public Task<Command> OnThisMachineAsync(TimeSpan deadline, string program, params IEnumerable<string> arguments) =>
        // Debian's docker first: it can build with BuildKit by itself.
        Command.RunAsync(deadline, "env", [$"DOCKER_HOST=unix://{Socket}", $"DOCKER_CONFIG={Folder["cli"]}", $"PATH=/usr/sbin:/usr/bin:/sbin:/bin:{Environment.GetEnvironmentVariable("PATH")}", program, .. arguments]);

    public async Task<string> DockerAsync(params IEnumerable<string> arguments) => (await TryDockerAsync(arguments)).MustSucceed().Output;

    public Task<Command> TryDockerAsync(params IEnumerable<string> arguments) =>
        _machine.RunAsync(s_starts, ["docker", "--config", Folder["cli"], "--host", $"unix://{Socket}", .. arguments]);

    /// <summary>Compose, in the clone. Its own builder, for Debian's engine comes without buildx.</summary>
    public Task<Command> ComposeAsync(TimeSpan deadline, params IEnumerable<string> arguments) => _machine.RunAsync(
        deadline, ["env", "--chdir", Clone.Root, "COMPOSE_BAKE=false", $"DOCKER_HOST=unix://{Socket}", $"DOCKER_CONFIG={Folder["cli"]}", "docker", "compose", .. arguments]);

    public async Task<long> SizeOfAsync(string image) => long.Parse(await DockerAsync("image", "inspect", "--format", "{{.Size}}", image));

    public async ValueTask DisposeAsync()
    {
        await _machine.PowerOffAsync();
        if (_wayOut is not null)
        {
            _wayOut.StandardInput.Close();
            await _wayOut.WaitForExitAsync().WaitAsync(Poll.Patience);
            _wayOut.Dispose();
        }
        await _machine.DisposeAsync();
    }

    /// <summary>It ends when its standard input does: with this process, however that ends.</summary>
    async Task OpenWayOutAsync()
    {
        string[] arguments = ["--configure", "--mtu=65520", "--disable-host-loopback", "--exit-fd=0", "--ready-fd=1", $"{_machine.Init}", "tap0"];
        var start = new ProcessStartInfo(WayOut, arguments) { UseShellExecute = false, RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true };
        _wayOut = Process.Start(start)!;
        var log = _wayOut.StandardError.ReadToEndAsync();
        var ready = new char[1];
        if (await _wayOut.StandardOutput.ReadAsync(ready.AsMemory()).AsTask().WaitAsync(Poll.Patience) == 0)
            throw new InvalidOperationException($"The engine has no way out: {await log.WaitAsync(Poll.Patience)}");
        await File.WriteAllTextAsync(Folder["resolv.conf"], $"nameserver {NameServer}\n");
        (await _machine.RunAsync(Poll.Patience, "sh", "-c", $"[ -e /etc/resolv.conf ] || : >/etc/resolv.conf; mount --bind {Folder["resolv.conf"]} /etc/resolv.conf")).MustSucceed();
    }

    async Task StartDockerAsync()
    {
        // As any engine, but for the places; it starts a containerd of its own.
        var dockerd = await _machine.StartAsync("dockerd", ["dockerd", "--data-root", Folder["docker"], "--exec-root", "/run/docker", "--pidfile", "/run/docker.pid",
            "--host", $"unix://{Socket}", "--exec-opt", "native.cgroupdriver=cgroupfs", "--cgroup-parent", Folder.Name]);
        await dockerd.UntilAsync("its API answers", async () => (await TryDockerAsync("version")).Succeeded, s_starts);
    }
}
