using System.Diagnostics;
using VolumeManager.EndToEnd.Calls;
using VolumeManager.EndToEnd.Daemons;

namespace VolumeManager.EndToEnd.Hosts;

/// <summary>
/// One test on a host: its verbs, its volumes' names, its tape. It must end with <see cref="EndsCleanAsync"/>;
/// a test that did not get there shows the logs and spoils the host for others.
/// </summary>
internal sealed class Scene : DockerUser, IAsyncDisposable
{
    static int s_count;

    readonly ITestOutputHelper _output;
    readonly Func<Task>? _spoiled;
    readonly int _daemonLogStart;
    readonly int _engineLogStart;
    readonly Tape? _tape;
    bool _clean;

    public Scene(Host host, ITestOutputHelper output, Func<Task>? spoiled = null)
        : base(host.Engine)
    {
        Host = host;
        _output = output;
        _spoiled = spoiled;
        _daemonLogStart = host.Daemon.Log.Count;
        _engineLogStart = host.Engine.Log.Count;
        _tape = host.Recorder is null ? null : new Tape(host.Recorder);
    }

    public Host Host { get; }
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
        await RemoveContainersAsync();
        await NothingIsMountedAsync();
        await RemoveVolumesAsync();
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
