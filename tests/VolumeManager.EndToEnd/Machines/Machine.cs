using System.Diagnostics;

namespace VolumeManager.EndToEnd.Machines;

/// <summary>
/// A machine of its own as far as an engine and a daemon can tell: name, processes, mounts, network and boot id.
/// Cutting its power is killing its first process: the kernel ends every other and drops every mount.
/// </summary>
internal sealed class Machine(MachineFolder folder, string root, string name, IReadOnlyList<string> shared, Cable? cable = null) : IAsyncDisposable
{
    const string SearchPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

    RunningProgram? _unshare;

    public MachineFolder Folder { get; } = folder;

    /// <summary>The host's number for the machine's first process.</summary>
    public int Init { get; private set; }

    public async Task BootAsync()
    {
        await File.WriteAllTextAsync(Folder["boot_id"], $"{Guid.NewGuid()}\n");
        var boot = Path.Combine(AppContext.BaseDirectory, "Machines/boot.sh");
        string[] own = ["--mount", "--pid", "--net", "--uts"];
        var start = new ProcessStartInfo("unshare", [.. own, "--fork", "--kill-child", "sh", boot, Folder.Root, root, name, .. shared]) { Environment = { ["PATH"] = SearchPath } };
        // Its first process lives as long as its standard input is open: the machine does not outlive the test process.
        _unshare = new RunningProgram($"machine {name}", start, keepsInput: true);
        await _unshare.UntilLoggedAsync("booted");
        Init = ProcessTable.ChildrenOf(_unshare.Pid).Single();
        if (cable is not null)
            await cable.PlugAsync(Init);
    }

    public async Task PowerOffAsync()
    {
        if (_unshare is null)
            return;
        // unshare sees its child end only when the kernel has ended the whole process namespace. Without a child it did not get far.
        ProcessTable.Signal(Init == 0 ? _unshare.Pid : Init, ProcessTable.SIGKILL);
        await _unshare.ExitAsync();
        _unshare.Dispose();
        (_unshare, Init) = (null, 0);
    }

    public Task<Command> RunAsync(TimeSpan deadline, params IEnumerable<string> command) => Command.RunAsync(deadline, "nsenter", Enter([], command));

    public Task<RunningProgram> StartAsync(string name, IEnumerable<string> command, params IEnumerable<string> environment) =>
        new RunningProgram(name, new ProcessStartInfo("nsenter", Enter(environment, command))).EnteredAsync();

    /// <summary>Where something is mounted below a folder, as the kernel tells it to the machine's first process.</summary>
    public IReadOnlyList<string> MountsBelow(string path) => [.. MountTable.PointsBelow(path, $"{Init}")];

    /// <summary>Orphans that its first process adopted: shims and what runs in them. Not the `cat` that it waits for.</summary>
    public IEnumerable<int> Adopted() => ProcessTable.DescendantsOf(Init).Except(ProcessTable.ChildrenOf(Init).Where(pid => ProcessTable.NameOf(pid) == "cat"));

    public async ValueTask DisposeAsync()
    {
        await PowerOffAsync();
        Folder.Dispose();
    }

    /// <summary>A clean environment: neither proxies nor settings of whoever runs the tests.</summary>
    IEnumerable<string> Enter(IEnumerable<string> environment, IEnumerable<string> command) =>
        ["--target", $"{Init}", "--mount", "--pid", "--net", "--uts", "--", "env", "-i", $"PATH={SearchPath}", "HOME=/root", .. environment, .. command];
}
