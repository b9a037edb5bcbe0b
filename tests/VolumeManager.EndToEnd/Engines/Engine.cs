using VolumeManager.EndToEnd.Machines;

namespace VolumeManager.EndToEnd.Engines;

/// <summary>A real dockerd with its own containerd, both apart, so that one can be killed without the other.</summary>
internal sealed class Engine(Machine machine, bool liveRestore)
{
    const string ContainerdFolder = "/run/containerd";
    const string ContainerdSocket = $"{ContainerdFolder}/containerd.sock";
    public static readonly TimeSpan Deadline = TimeSpan.FromMinutes(3);

    readonly MachineFolder _folder = machine.Folder;
    RunningProgram? _containerd;
    RunningProgram? _dockerd;

    public Version Version { get; private set; } = new();
    public IReadOnlyList<string> Log => _dockerd?.Log ?? [];

    /// <summary>Since 20.10.26, 23.0.7, 24.0.3 and 25.0 live-restore keeps the count of mounts; before, a stop after `cp` sends no Unmount.</summary>
    public bool LiveRestoreKeepsCounts => Version >= new Version(25, 0) || Version >= new Version(24, 0, 3)
        || (Version.Major == 23 && Version.Build >= 7) || (Version.Major == 20 && Version.Build >= 26);

    /// <summary>Its API answers only when volumes and containers are restored.</summary>
    public async Task StartAsync()
    {
        if (_containerd is null or { HasExited: true })
            await StartContainerdAsync();
        // cgroupfs: there is no systemd in the machine. The parent's name lets us clear the host's tree afterwards.
        _dockerd = await machine.StartAsync("dockerd", ["dockerd", "--containerd", ContainerdSocket, "--data-root", _folder["docker"],
            "--exec-root", "/run/docker", "--pidfile", "/run/docker.pid", "--host", $"unix://{_folder["docker.sock"]}",
            "--bridge=none", "--iptables=false", "--ip6tables=false", "--ip-forward=false", "--ip-masq=false", "--userland-proxy=false",
            "--exec-opt", "native.cgroupdriver=cgroupfs", "--cgroup-parent", _folder.Name,
            .. liveRestore ? ["--live-restore"] : Array.Empty<string>()]);
        await _dockerd.UntilAsync("its API answers", async () => (await DockerAsync("version", "--format", "{{.Server.Version}}")).Succeeded, Deadline);
        Version = Version.Parse((await DockerAsync("version", "--format", "{{.Server.Version}}")).MustSucceed().Output.Split('+', '-')[0]);
    }

    public async Task StopAsync() => await _dockerd!.TerminateAsync();

    /// <summary>kill -9 of dockerd alone: containerd and the containers run on.</summary>
    public async Task KillAsync()
    {
        await _dockerd!.KillAsync();
        // A dead dockerd's number may be taken again at once in a small process namespace.
        (await machine.RunAsync(Deadline, "rm", "-f", "/run/docker.pid")).MustSucceed();
    }

    /// <summary>kill -9 of all that belongs to the engine, containers too. The machine and the volume daemon run on.</summary>
    public async Task CrashAsync()
    {
        await KillAsync();
        await _containerd!.KillAsync();
        await Poll.UntilAsync("no process of a container is left", () =>
        {
            foreach (var pid in machine.Adopted())
                ProcessTable.Signal(pid, ProcessTable.SIGKILL);
            return !machine.Adopted().Any();
        });
        // What a boot would find empty: containerd's state, and runc's, which would say that the containers exist already.
        string[] state = [ContainerdFolder, "/run/docker/containerd", "/run/docker/runtime-runc"];
        (await machine.RunAsync(Deadline, ["rm", "-rf", "--one-file-system", .. state])).MustSucceed();
    }

    public Task<Command> DockerAsync(params IEnumerable<string> arguments) =>
        machine.RunAsync(Deadline, ["docker", "--config", _folder["cli"], "--host", $"unix://{_folder["docker.sock"]}", .. arguments]);

    async Task StartContainerdAsync()
    {
        await File.WriteAllTextAsync(_folder["containerd.toml"], $"""
            version = 2
            root = "{_folder["containerd"]}"
            state = "{ContainerdFolder}"
            disabled_plugins = ["io.containerd.grpc.v1.cri"]
            [grpc]
              address = "{ContainerdSocket}"
            [plugins."io.containerd.internal.v1.opt"]
              path = "{_folder["opt"]}"
            """);
        _containerd = await machine.StartAsync("containerd", ["containerd", "--config", _folder["containerd.toml"]]);
        await _containerd.UntilLoggedAsync("containerd successfully booted");
    }
}
