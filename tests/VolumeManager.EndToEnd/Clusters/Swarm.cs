using VolumeManager.EndToEnd.Engines;

namespace VolumeManager.EndToEnd.Clusters;

/// <summary>The swarm of a cluster's engines. The first node leads, so it is the others whose power or cable is cut.</summary>
internal sealed class Swarm
{
    /// <summary>What a task does unless told otherwise: it leaves a file of its own in the volume, with its node's name.</summary>
    public const string LeaveFile = "echo $NODE > /x/$TASK; sleep 100000";

    static readonly TimeSpan s_deadline = TimeSpan.FromMinutes(3);

    readonly IReadOnlyList<Node> _nodes;

    Swarm(IReadOnlyList<Node> nodes) => _nodes = nodes;

    Node Leader => _nodes[0];

    public static async Task<Swarm> FormAsync(IReadOnlyList<Node> nodes)
    {
        // A swarm schedules only to nodes whose engine has already met the plugin.
        foreach (var node in nodes)
            await node.DockerAsync("volume ls");
        // A node is taken for down after three heartbeats that did not come: the default is 5 s each.
        await nodes[0].DockerAsync($"swarm init --advertise-addr {nodes[0].Cable.Address} --dispatcher-heartbeat 2s");
        var token = await nodes[0].DockerAsync("swarm join-token --quiet worker");
        foreach (var node in nodes.Skip(1))
            await node.DockerAsync($"swarm join --token {token} --advertise-addr {node.Cable.Address} {nodes[0].Cable.Address}:2377");
        return new Swarm(nodes);
    }

    /// <summary>Every node is up, active and known to have the plugin.</summary>
    public async Task ReadyAsync()
    {
        foreach (var node in _nodes)
        {
            await Poll.UntilAsync($"{node.Name} can be given tasks", async () =>
                await Leader.DockerAsync("node inspect --format", "{{.Status.State}} {{.Spec.Availability}} {{json .Description.Engine.Plugins}}", node.Name) is var seen
                && seen.StartsWith("ready active ", StringComparison.Ordinal) && seen.Contains("\"volman\"", StringComparison.Ordinal), s_deadline);
        }
    }

    /// <summary>A service whose tasks make the volume themselves and use it at /x.</summary>
    public async Task CreateServiceAsync(string name, int replicas, string volume, params IEnumerable<string> options)
    {
        var mount = $"type=volume,src={volume},dst=/x,volume-driver=volman{string.Concat(options.Select(option => $",volume-opt={option}"))}";
        await Leader.DockerAsync($"service create --detach --no-resolve-image --name {name} --replicas {replicas} --network host --stop-signal KILL "
            + $"--restart-delay 1s --env TASK={{{{.Task.ID}}}} --env NODE={{{{.Node.Hostname}}}} --mount {mount} {Image.Name} sh -c", LeaveFile);
    }

    /// <summary>Waits until so many tasks of a service run, on each of these nodes at least one and on no other.</summary>
    public async Task RunsOnAsync(string service, int tasks, params IEnumerable<Node> nodes)
    {
        var expected = $"{tasks} on {string.Join(' ', nodes.Select(node => node.Name))}";
        Assert.Equal(expected, await Poll.ForAsync(expected, async () => await TasksAsync(service) is var running
            ? $"{running.Length} on {string.Join(' ', running.Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal))}" : "", s_deadline));
    }

    public async Task UpdateAsync(string service, string change)
    {
        await Leader.DockerAsync($"service update --detach --update-delay 0s --update-monitor 100ms {change} {service}");
        await Poll.UntilAsync("the update is complete", async () =>
            await Leader.DockerAsync("service inspect --format", "{{if .UpdateStatus}}{{.UpdateStatus.State}}{{end}}", service) == "completed", s_deadline);
    }

    public Task SetAvailabilityAsync(Node node, string availability) => Leader.DockerAsync($"node update --availability {availability} {node.Name}");

    public Task StateAsync(Node node, string state) => Poll.UntilAsync($"{node.Name} is {state}", async () =>
        await Leader.DockerAsync("node inspect --format {{.Status.State}}", node.Name) == state, s_deadline);

    /// <summary>Takes every service away, and waits until their containers are gone.</summary>
    public async Task RemoveServicesAsync()
    {
        if (await LinesAsync("service ls --quiet") is { Length: > 0 } services)
            await Leader.DockerAsync("service rm", services);
        foreach (var node in _nodes)
        {
            await Poll.UntilAsync($"{node.Name} has no task left", async () =>
                (await node.LinesAsync("ps --all --quiet --filter label=com.docker.swarm.task")).Length == 0, s_deadline);
        }
    }

    /// <summary>The tasks, running or not, for people who look into a failure.</summary>
    public async Task<string> DumpAsync() =>
        (await Leader.TryDockerAsync("node ls")).Output + "\n"
        + string.Join('\n', await Task.WhenAll((await LinesAsync("service ls --quiet")).Select(id => Leader.DockerAsync("service ps --no-trunc", id))));

    /// <summary>The node of each running task.</summary>
    async Task<string[]> TasksAsync(string service) =>
        [.. (await LinesAsync("service ps --filter desired-state=running --format", "{{.CurrentState}}|{{.Node}}", service))
            .Where(task => task.StartsWith("Running", StringComparison.Ordinal))
            .Select(task => task.Split('|')[1])];

    Task<string[]> LinesAsync(string words, params string[] more) => Leader.LinesAsync(words, more);
}
