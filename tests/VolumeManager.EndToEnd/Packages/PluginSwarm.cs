using VolumeManager.EndToEnd.Engines;

namespace VolumeManager.EndToEnd.Packages;

/// <summary>The plugin on each of three nodes, installed from a registry, with one PostgreSQL and one folder of data: a service's tasks share one volume.</summary>
[Collection(PluginHosts.Collection)]
public sealed class PluginSwarm(PluginHosts hosts, ITestOutputHelper output)
{
    const string Service = "shares";
    const string Volume = "plugged-shared";
    static readonly TimeSpan s_deadline = TimeSpan.FromMinutes(3);

    [Theory, InstalledPluginEngine, PluginEngine28]
    public async Task Tasks_on_all_nodes_share_a_volume_and_a_fresh_node_needs_no_help(EngineKind engine)
    {
        var image = await hosts.ImageAsync();
        await using var cluster = await PluginCluster.StartAsync(engine, image);
        output.WriteLine("three engines, the plugin on two");
        var first = cluster.Hosts[0];
        try
        {
            await first.DockerAsync($"swarm init --advertise-addr {PluginCluster.AddressOf(0)}");
            await JoinAsync(cluster, 1);
            await first.DockerAsync($"service create --detach --no-resolve-image --name {Service} --mode global --network host --stop-signal KILL --restart-delay 1s "
                + $"--env NODE={{{{.Node.Hostname}}}} --mount type=volume,src={Volume},dst=/x,volume-driver={PluginHost.Plugin},volume-opt=mode=0750 {Image.Name} sh -c",
                "echo $NODE > /x/$NODE; sleep 100000");
            await FilesAsync(cluster, "node1 node2");

            // Nobody asks for a volume there: the engine tells the swarm of a managed plugin by itself.
            await cluster.InstallAsync(2);
            await JoinAsync(cluster, 2);
            await FilesAsync(cluster, "node1 node2 node3");

            foreach (var host in cluster.Hosts)
            {
                Assert.Equal([Volume], host.KernelMounts);
                Assert.Equal("global", await host.DockerAsync("volume inspect --format {{.Scope}}", Volume));
                Assert.Equal("node1 node2 node3", await Poll.ForAsync("node1 node2 node3", () => HoldersAsync(host)));
            }
            Assert.Contains("in use on host", await cluster.RemoveElsewhereAsync(Volume), StringComparison.Ordinal);

            await first.DockerAsync($"service rm {Service}");
            foreach (var host in cluster.Hosts)
            {
                await Poll.UntilAsync("no task is left", async () => (await host.LinesAsync("ps --all --quiet --filter label=com.docker.swarm.task")).Length == 0, s_deadline);
                await Poll.UntilAsync("nothing is mounted", () => host.KernelMounts.Count == 0, s_deadline);
            }
            Assert.Equal(0, await Poll.ForAsync(0, cluster.Catalog.MountRowsAsync, s_deadline));
            await first.DockerAsync($"volume rm {Volume}");
        }
        catch
        {
            output.WriteLine((await first.TryDockerAsync($"service ps --no-trunc {Service}")).Output + (await first.TryDockerAsync("node ls")).Output);
            foreach (var host in cluster.Hosts)
                output.WriteLine($"=== dockerd, with volman:\n{string.Join('\n', host.Engine.Log.TakeLast(60))}");
            throw;
        }
    }

    static async Task JoinAsync(PluginCluster cluster, int number)
    {
        var token = await cluster.Hosts[0].DockerAsync("swarm join-token --quiet worker");
        await cluster.Hosts[number].DockerAsync($"swarm join --token {token} --advertise-addr {PluginCluster.AddressOf(number)} {PluginCluster.AddressOf(0)}:2377");
    }

    static async Task<string> HoldersAsync(PluginHost host) =>
        string.Join(' ', (await host.LinesAsync("volume inspect --format", "{{range .Status.Holders}}{{println .Host}}{{end}}", Volume)).Order(StringComparer.Ordinal));

    /// <summary>Each task leaves a file with its node's name.</summary>
    static async Task FilesAsync(PluginCluster cluster, string nodes)
    {
        var folder = Path.Combine(cluster.Data, Volume);
        Assert.Equal(nodes, await Poll.ForAsync(nodes, () => Task.FromResult(Directory.Exists(folder)
            ? string.Join(' ', Directory.EnumerateFiles(folder).Select(file => Path.GetFileName(file)).Order(StringComparer.Ordinal))
            : ""), s_deadline));
    }
}
