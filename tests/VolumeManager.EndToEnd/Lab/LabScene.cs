using System.Diagnostics;

namespace VolumeManager.EndToEnd.Lab;

/// <summary>One test in the laboratory. It must end with <see cref="EndsCleanAsync"/>; one that did not get there shows the logs, and the next one gets new hosts.</summary>
internal sealed class LabScene(Laboratory lab, ITestOutputHelper output) : IAsyncDisposable
{
    static int s_count;
    readonly Stopwatch _clock = Stopwatch.StartNew();
    bool _clean;
    bool _hasSwarm;

    public LabHost Server => lab.Server;
    public LabHost One => lab.Engines[0];
    public LabHost Two => lab.Engines[1];
    public LabHost Three => lab.Engines[2];
    public Laboratory Lab => lab;

    public static string NewVolume() => $"lab-{Interlocked.Increment(ref s_count)}";

    public async Task<string> CreateVolumeAsync(LabHost host, string options = "")
    {
        var name = NewVolume();
        await host.DockerAsync($"volume create --driver volman {options} {name}");
        return name;
    }

    /// <summary>Tells how far the test is. A test never judges it.</summary>
    public void Note(string what) => output.WriteLine($"{_clock.Elapsed.TotalSeconds:0.0} s: {what}");

    /// <summary>What a host of the catalog is taken to be, as <c>volman host ls</c> says.</summary>
    public Task<string> StateOfAsync(LabHost host) => AskAsync($"SELECT state FROM hosts WHERE name = '{host.Name}'");

    /// <summary>From now on the engines are one swarm, until the scene ends.</summary>
    public async Task FormSwarmAsync()
    {
        _hasSwarm = true;
        await lab.FormSwarmAsync();
        Note("the swarm is one");
    }

    public Task HealAsync() => lab.RunAsync("heal");

    /// <summary>A figure of the catalog.</summary>
    public Task<string> AskAsync(string sql) => lab.Database.ShAsync($"psql -U postgres -h 127.0.0.1 -tAqc \"{sql}\" volman");

    /// <summary>No container, no volume, no row, no mount and no directory is left.</summary>
    public async Task EndsCleanAsync()
    {
        Note("the end begins");
        if (_hasSwarm)
        {
            await One.ShAsync("docker service ls -q | xargs -r docker service rm >/dev/null");
            await lab.EndSwarmAsync();
        }

        await Task.WhenAll(lab.Engines.Select(host => host.EndContainersAsync()));
        Assert.Equal("0", await Poll.ForAsync("0", () => AskAsync("SELECT count(*) FROM mounts")));
        await One.ShAsync("docker volume ls -q --filter driver=volman | xargs -r docker volume rm >/dev/null");
        Assert.Equal("0", await AskAsync("SELECT count(*) FROM volumes WHERE state IN ('ready', 'removing')"));
        Assert.Equal("", await Server.ShAsync("ls /srv/export"));
        Note("clean");
        _clean = true;
    }

    public async ValueTask DisposeAsync()
    {
        if (_clean) return;
        Note("not clean");
        foreach (var host in lab.Engines)
        {
            try
            {
                output.WriteLine($"=== {host.Name}:\n{await host.LogAsync()}");
            }
            catch (Exception e) when (e is InvalidOperationException or TimeoutException)
            {
                output.WriteLine(e.Message);
            }
        }

        await lab.DisposeAsync();
    }
}
