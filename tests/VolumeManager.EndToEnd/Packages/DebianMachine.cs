using System.Diagnostics;
using VolumeManager.EndToEnd.Engines;
using VolumeManager.EndToEnd.Machines;

namespace VolumeManager.EndToEnd.Packages;

/// <summary>
/// A clean Debian 12 that the real systemd boots, with its own engine as Debian starts it (debian-machine.sh). A test ends with <see cref="Passed"/>;
/// one that does not get there shows the machine's journal.
/// </summary>
internal sealed class DebianMachine : IAsyncDisposable
{
    /// <summary>Where the machine sees the folder that we write to.</summary>
    public const string Exchange = "/exchange";
    const string Script = "tests/VolumeManager.EndToEnd/Packages/debian-machine.sh";

    static readonly TimeSpan s_patience = TimeSpan.FromMinutes(5);

    readonly MachineFolder _folder = new();
    readonly DebianPackages _packages;
    readonly Action<string> _write;
    readonly Stopwatch _clock = Stopwatch.StartNew();
    RunningProgram? _unshare;
    int _init;
    bool _passed;

    DebianMachine(DebianPackages packages, Action<string> write) => (_packages, _write) = (packages, write);

    public static async Task<DebianMachine> BootAsync(DebianPackages packages, Action<string> write)
    {
        var machine = new DebianMachine(packages, write);
        try
        {
            await machine.PowerOnAsync(await packages.RootAsync());
            return machine;
        }
        catch
        {
            await machine.DisposeAsync();
            throw;
        }
    }

    /// <summary>A machine with the package, and an image for containers.</summary>
    public static async Task<DebianMachine> WithPackageAsync(DebianPackages packages, Action<string> write)
    {
        var build = await packages.CurrentAsync();
        var machine = await BootAsync(packages, write);
        try
        {
            await machine.InstallAsync(build);
            await machine.ImportImageAsync();
            return machine;
        }
        catch
        {
            await machine.DisposeAsync();
            throw;
        }
    }

    /// <summary>A file of the machine, as this process can read it.</summary>
    public string this[string path] => $"/proc/{_init}/root{path}";

    /// <summary>Runs a bash script as root; fails with what it printed when it fails.</summary>
    public async Task<string> ShAsync(string script) => (await TryAsync(script)).MustSucceed().Output;

    public Task<Command> TryAsync(string script) => RunAsync(s_patience, "bash", "-c", $"set -o pipefail\n{script}");

    public Task<string> DockerAsync(string arguments) => ShAsync($"docker {arguments}");

    /// <summary>The documented command.</summary>
    public async Task<string> InstallAsync(DebianBuild build)
    {
        var file = Put(build.Package);
        var said = await ShAsync($"DEBIAN_FRONTEND=noninteractive apt-get install --yes {file} 2>&1");
        Note($"{Path.GetFileName(file)} is installed");
        return said;
    }

    public Task<string> AptAsync(string arguments) => ShAsync($"DEBIAN_FRONTEND=noninteractive apt-get --yes {arguments} 2>&1");

    /// <summary>Copies a file into the machine.</summary>
    public string Put(string file)
    {
        File.Copy(file, Path.Combine(_folder["exchange"], Path.GetFileName(file)), overwrite: true);
        return $"{Exchange}/{Path.GetFileName(file)}";
    }

    public async Task ImportImageAsync()
    {
        await Image.WriteAsync(_folder["exchange/image.tar"], EngineRoot.Find(await _packages.RootAsync(), "busybox")!);
        await DockerAsync($"import {Exchange}/image.tar {Image.Name}");
    }

    /// <summary>The property of a unit that `systemctl show` has under that name.</summary>
    public Task<string> UnitAsync(string property, string unit = "volman.service") => ShAsync($"systemctl show --property {property} --value {unit}");

    public Task UntilActiveAsync(string unit = "volman.service") =>
        Poll.UntilAsync($"{unit} is active", async () => await UnitAsync("ActiveState", unit) == "active", s_patience);

    /// <summary>As its user does it, services stopped in order.</summary>
    public async Task RebootAsync()
    {
        var before = _init;
        await TryAsync("systemctl reboot");
        await Poll.UntilAsync("the machine goes down", () => FindInit() != before, s_patience);
        await UntilUpAsync();
        Note("the machine is up again");
    }

    public void Note(string what) => _write($"{_clock.Elapsed.TotalSeconds,6:0.0} s: {what}");

    public void Passed() => _passed = true;

    public async ValueTask DisposeAsync()
    {
        if (!_passed && _init != 0)
            _write((await TryAsync("systemctl --failed --no-pager; ls -l /run/docker/plugins; docker ps -a; journalctl --no-pager --quiet --output short-monotonic --lines 150")).Output);
        else if (!_passed && File.Exists(_folder["console"]))
            _write(await File.ReadAllTextAsync(_folder["console"]));
        if (_unshare is not null)
        {
            _unshare.CloseInput();
            foreach (var first in ProcessTable.ChildrenOf(_unshare.Pid))
                ProcessTable.Signal(first, ProcessTable.SIGKILL);
            await _unshare.ExitAsync();
            _unshare.Dispose();
        }
        _folder.Dispose();
    }

    async Task PowerOnAsync(string root)
    {
        string[] own = ["--mount", "--pid", "--fork", "--kill-child"];
        _unshare = new RunningProgram("machine", new("unshare", [.. own, "sh", Path.Combine(DebianPackages.Repository, Script), _folder.Root, root, _folder.Name]), keepsInput: true);
        await _unshare.UntilLoggedAsync("booting");
        await UntilUpAsync();
        Note("the machine is up");
    }

    async Task UntilUpAsync()
    {
        await Poll.UntilAsync("the machine is up", async () =>
        {
            _init = FindInit();
            return _init != 0 && (await RunAsync(s_patience, "systemctl", "is-system-running", "--wait")).Output is "running" or "degraded";
        }, s_patience);
    }

    /// <summary>systemd-nspawn's child, once it has become systemd.</summary>
    int FindInit() => ProcessTable.DescendantsOf(_unshare!.Pid)
        .Where(pid => ProcessTable.NameOf(pid) == "systemd-nspawn")
        .SelectMany(ProcessTable.ChildrenOf)
        .FirstOrDefault(pid => ProcessTable.NameOf(pid) == "systemd");

    Task<Command> RunAsync(TimeSpan deadline, params IEnumerable<string> command) => Command.RunAsync(deadline, "nsenter",
        ["--target", $"{_init}", "--mount", "--pid", "--net", "--uts", "--ipc", "--cgroup", "--", "env", "-i", "HOME=/root", "TERM=dumb", "LANG=C.UTF-8",
            "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", .. command]);
}
