using VolumeManager.EndToEnd.Daemons;
using VolumeManager.EndToEnd.Engines;
using VolumeManager.EndToEnd.Hosts;
using VolumeManager.EndToEnd.Machines;
using VolumeManager.TestSupport.Postgres;

namespace VolumeManager.EndToEnd.Clusters;

/// <summary>One host of a cluster: its engine and daemon, its cable to the other hosts, and its own way to PostgreSQL. Either can be cut alone.</summary>
internal sealed class Node(string name, Host host, Cable cable, PostgresProxy proxy) : DockerUser(host.Engine), IAsyncDisposable
{
    public string Name => name;
    public Host Host => host;
    public Daemon Daemon => host.Daemon;

    /// <summary>To the other engines: the swarm.</summary>
    public Cable Cable => cable;

    /// <summary>To PostgreSQL: the catalog.</summary>
    public PostgresProxy Proxy => proxy;

    public async Task<InspectedVolume> InspectAsync(string volume) => new(await DockerAsync("volume inspect --format", "{{json .}}", volume));

    /// <summary>The hosts that use a volume as this host knows them, once they are those.</summary>
    public async Task SeesHoldersAsync(string volume, string holders) =>
        Assert.Equal(holders, await Poll.ForAsync(holders, async () => (await InspectAsync(volume)).Holders));

    /// <summary>Waits until volman is in touch with PostgreSQL here, so that what it tells of this volume and all others is true now.</summary>
    public Task IsUpToDateAsync(string volume) => Poll.UntilAsync($"{Name} is up to date", async () => (await InspectAsync(volume)).Stale is null);

    public async Task<bool> ListsAsync(string volume) => (await LinesAsync("volume ls --quiet")).Contains(volume, StringComparer.Ordinal);

    /// <summary>A container that is made but not started: to be started when that is possible.</summary>
    public Task MakeContainerAsync(string name, string options) =>
        DockerAsync($"create --name {name} --network host --stop-signal KILL {options} {Image.Name} sleep 100000");

    /// <summary>What a script prints in the container of a service's only task here.</summary>
    public async Task<string> InTaskAsync(string service, string script) =>
        await DockerAsync("exec", await DockerAsync($"ps --quiet --filter label=com.docker.swarm.service.name={service}"), "sh", "-c", script);

    /// <summary>What the service's only task here reads in the files of all tasks there have been, their nodes, once it is those: `host1 host1 host3`.</summary>
    public async Task TaskReadsAsync(string service, string nodes) =>
        Assert.Equal(nodes, await Poll.ForAsync(nodes, async () =>
            string.Join(' ', (await InTaskAsync(service, "cat /x/*")).Split('\n', StringSplitOptions.RemoveEmptyEntries).Order(StringComparer.Ordinal))));

    /// <summary>A call to volman past the engine, which asks Get first and may leave it at that. Gives the answer's Err.</summary>
    public async Task<string> CallVolmanAsync(string verb, object request) => (await new PluginClient(Daemon.Socket).CallAsync(verb, request)).Err;

    public async ValueTask DisposeAsync()
    {
        await host.DisposeAsync();
        await proxy.DisposeAsync();
    }
}
