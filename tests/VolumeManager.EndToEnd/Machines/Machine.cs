using System.Diagnostics;

namespace VolumeManager.EndToEnd.Machines;

/// <summary>
/// A machine of its own as far as an engine and a daemon can tell: name, processes, mounts, network and boot id.
/// Cutting its power is killing its first process: the kernel ends every other and drops every mount.
/// </summary>
internal sealed class Machine(MachineFolder folder, string root, string name, IReadOnlyList<string> shared, Cable? cable = null) : IAsyncDisposable
{
    const string SearchPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

    Process? _unshare;

    public MachineFolder Folder { get; } = folder;

    /// <summary>The host's number for the machine's first process.</summary>
    public int Init { get; private set; }

    public async Task BootAsync()
    {
        await File.WriteAllTextAsync(Folder["boot_id"], $"{Guid.NewGuid()}\n");
        var boot = Path.Combine(AppContext.BaseDirectory, "Machines/boot.sh");
        string[] own = ["--mount", "--pid", "--net", "--uts"];
        var start = new ProcessStartInfo("unshare", [.. own, "--fork", "--kill-child", "sh", boot, Folder.Root, root, name, .. shared])
        {
            UseShellExecute = false,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            Environment = { ["PATH"] = SearchPath },
        };
        _unshare = Process.Start(start)!;
        var line = await _unshare.StandardOutput.ReadLineAsync().WaitAsync(Poll.Patience);
        if (line != "booted")
            throw new InvalidOperationException($"The machine does not boot: {line} {await _unshare.StandardError.ReadToEndAsync().WaitAsync(Poll.Patience)}");
        Init = ProcessTable.ChildrenOf(_unshare.Id).Single();
        if (cable is not null)
            await cable.PlugAsync(Init);
    }

    public async Task PowerOffAsync()
    {
        if (_unshare is null)
            return;
        // unshare sees its child end only when the kernel has ended the whole process namespace. Without a child it did not get far.
        ProcessTable.Signal(Init == 0 ? _unshare.Id : Init, ProcessTable.SIGKILL);
        await Poll.UntilAsync("the machine is off", () => _unshare.HasExited);
        _unshare.Dispose();
        (_unshare, Init) = (null, 0);
    }

    public Task<Command> RunAsync(TimeSpan deadline, params IEnumerable<string> command) => Command.RunAsync(deadline, "nsenter", Enter([], command));

    public Task<RunningProgram> StartAsync(string name, IEnumerable<string> command, params IEnumerable<string> environment) =>
        new RunningProgram(name, new ProcessStartInfo("nsenter", Enter(environment, command))).EnteredAsync();

    /// <summary>Where something is mounted below a folder, as the kernel tells it to the machine's first process.</summary>
    public IReadOnlyList<string> MountsBelow(string path) =>
        // proc(5): id parent major:minor root mount-point …
        [.. File.ReadLines($"/proc/{Init}/mountinfo")
            .Select(line => line.Split(' ')[4])
            .Where(point => point.StartsWith(path + "/", StringComparison.Ordinal))];

    /// <summary>Orphans that its first process adopted: shims and what runs in them. Not the `cat` that it waits for.</summary>
    public IEnumerable<int> Adopted() => ProcessTable.DescendantsOf(Init).Except(ProcessTable.ChildrenOf(Init).Where(IsInitsOwn));

    public async ValueTask DisposeAsync()
    {
        await PowerOffAsync();
        Folder.Dispose();
    }

    static bool IsInitsOwn(int pid) => File.Exists($"/proc/{pid}/comm") && File.ReadAllText($"/proc/{pid}/comm") == "cat\n";

    /// <summary>A clean environment: neither proxies nor settings of whoever runs the tests.</summary>
    IEnumerable<string> Enter(IEnumerable<string> environment, IEnumerable<string> command) =>
        ["--target", $"{Init}", "--mount", "--pid", "--net", "--uts", "--", "env", "-i", $"PATH={SearchPath}", "HOME=/root", .. environment, .. command];
}
