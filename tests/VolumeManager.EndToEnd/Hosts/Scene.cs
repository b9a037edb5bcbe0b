using System.Diagnostics;
using VolumeManager.EndToEnd.Calls;
using VolumeManager.EndToEnd.Daemons;
using VolumeManager.EndToEnd.Engines;
using VolumeManager.EndToEnd.Machines;

namespace VolumeManager.EndToEnd.Hosts;

/// <summary>
/// One test on a host: its verbs, its volumes' names, its tape. It must end with <see cref="EndsCleanAsync"/>;
/// a test that did not get there shows the logs and spoils the host for others.
/// </summary>
internal sealed class Scene : IAsyncDisposable
{
    static int s_count;

    readonly ITestOutputHelper _output;
    readonly Func<Task>? _spoiled;
    readonly int _daemonLogStart;
    readonly int _engineLogStart;
    readonly Tape? _tape;
    bool _clean;

    public Scene(Host host, ITestOutputHelper output, Func<Task>? spoiled = null)
    {
        Host = host;
        _output = output;
        _spoiled = spoiled;
        _daemonLogStart = host.Daemon.Log.Count;
        _engineLogStart = host.Engine.Log.Count;
        _tape = host.Recorder is null ? null : new Tape(host.Recorder);
    }

    public Host Host { get; }
    public Engine Engine => Host.Engine;
    public Daemon Daemon => Host.Daemon;
    public Tape Tape => _tape ?? throw new InvalidOperationException("This host was started without a recorder.");

    /// <summary>A name that no other test uses. The volume comes to be when something creates it.</summary>
    public string NewVolume() => $"volume-{Interlocked.Increment(ref s_count)}";

    public async Task<string> CreateVolumeAsync(params IEnumerable<string> options)
    {
        var name = NewVolume();
        await DockerAsync($"volume create --driver volman {string.Concat(options.Select(option => $"--opt {option} "))}{name}");
        return name;
    }

    /// <summary>`docker` with the words of a line, then arguments that are not to be split. Gives what it printed.</summary>
    public async Task<string> DockerAsync(string words, params string[] more) => (await TryDockerAsync(words, more)).MustSucceed().Output;

    /// <summary>A `docker` command that must fail; gives its complaint.</summary>
    public async Task<string> RefusedAsync(string words, params string[] more)
    {
        var result = await TryDockerAsync(words, more);
        Assert.False(result.Succeeded, $"Was not refused: {result.Line}\n{result.Output}");
        return result.Errors;
    }

    public Task<Command> TryDockerAsync(string words, params string[] more) =>
        Engine.DockerAsync([.. words.Split(' ', StringSplitOptions.RemoveEmptyEntries), .. more]);

    /// <summary>A container that runs a script to its end and goes; gives what it printed.</summary>
    public Task<string> RunAsync(string options, string script) => DockerAsync($"run --rm --network none {options} {Image.Name} sh -c", script);

    /// <summary>A container that runs until it is stopped, which is quick: its stop signal is KILL.</summary>
    public Task StartContainerAsync(string name, string options, string script = "sleep 100000") =>
        DockerAsync($"run --detach --name {name} --network none --stop-signal KILL {options} {Image.Name} sh -c", script);

    /// <summary>Tells how long something took. A test never judges it.</summary>
    public async Task TimeAsync(string what, Func<Task> act)
    {
        var clock = Stopwatch.StartNew();
        await act();
        _output.WriteLine($"{what}: {clock.Elapsed.TotalSeconds:0.00} s");
    }

    /// <summary>Takes every container away, and then nothing may be in use: no row, no kernel mount. The test's volumes can all be removed.</summary>
    public async Task EndsCleanAsync()
    {
        var containers = (await DockerAsync("ps --all --quiet")).Split('\n', StringSplitOptions.RemoveEmptyEntries);
        if (containers.Length > 0)
            await DockerAsync("rm --force", containers);
        await NothingIsMountedAsync();
        var volumes = (await DockerAsync("volume ls --quiet --filter driver=volman")).Split('\n', StringSplitOptions.RemoveEmptyEntries);
        if (volumes.Length > 0)
            await DockerAsync("volume rm", volumes);
        _clean = true;
    }

    public async Task NothingIsMountedAsync()
    {
        Assert.Equal(0, await Poll.ForAsync(0, Daemon.Catalog.MountRowsAsync));
        Assert.Equal(0, await Poll.ForAsync(0, () => Task.FromResult(Daemon.KernelMounts.Count)));
    }

    public async ValueTask DisposeAsync()
    {
        if (_clean)
            return;
        _output.WriteLine($"Calls: {_tape?.Text() ?? "not recorded"}");
        _output.WriteLine($"Mount rows (volume, caller, count, generation, since):\n{await Daemon.Catalog.MountsAsync()}");
        _output.WriteLine($"Kernel mounts: {string.Join(' ', Daemon.KernelMounts)}");
        _output.WriteLine($"volman:\n{string.Join('\n', Daemon.Log.Skip(_daemonLogStart).TakeLast(200))}");
        _output.WriteLine($"dockerd:\n{string.Join('\n', Engine.Log.Skip(_engineLogStart).TakeLast(100))}");
        if (_spoiled is not null)
            await _spoiled();
    }
}
