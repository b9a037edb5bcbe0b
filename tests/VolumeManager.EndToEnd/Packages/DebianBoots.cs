using VolumeManager.EndToEnd.Engines;

namespace VolumeManager.EndToEnd.Packages;

/// <summary>The machine goes down and comes up again: who starts and stops before whom.</summary>
[Collection(DebianPackages.Collection)]
public sealed class DebianBoots(DebianPackages packages, ITestOutputHelper output)
{
    [DebianFact]
    public async Task After_a_boot_volumes_containers_and_services_are_there()
    {
        await using var machine = await DebianMachine.WithPackageAsync(packages, output.WriteLine);
        await machine.DockerAsync("swarm init --advertise-addr 127.0.0.1");
        await machine.DockerAsync("volume create --driver volman --opt label.team=web shop");
        await machine.DockerAsync($"run --rm --network host --volume shop:/x {Image.Name} sh -c 'echo kept >/x/f'");
        await machine.DockerAsync($"run --detach --name stays --restart always --network host --volume shop:/x {Image.Name} sleep 100000");

        await machine.RebootAsync();

        await machine.UntilActiveAsync();
        Assert.True(await StartedAsync(machine, "volman.service") < await StartedAsync(machine, "docker.service"), "The engine did not wait for volman.");
        Assert.Equal("kept", await machine.DockerAsync("exec stays cat /x/f"));
        Assert.Equal("web", await machine.DockerAsync("volume inspect --format '{{index .Status.Labels \"team\"}}' shop"));
        Assert.Equal("1", await machine.ShAsync("volman status --output json | grep -o '\"callers\":[0-9]*' | cut -d: -f2"));
        // No volume command was given since the boot.
        await machine.DockerAsync($"service create --detach --no-resolve-image --name served --network host --mount type=volume,source=fresh,target=/x,volume-driver=volman {Image.Name} sleep 100000");
        await Poll.UntilAsync("the service runs", async () =>
            (await machine.DockerAsync("service ps --format '{{.CurrentState}}' served")).StartsWith("Running", StringComparison.Ordinal), TimeSpan.FromMinutes(2));
        machine.Note("a service with a new volume runs");

        // What the machine did as it went down. Each unit says when it is down.
        var ends = (await machine.ShAsync("journalctl --boot -1 --quiet --no-pager --output cat _PID=1")).Split('\n').ToList();
        var engine = ends.FindLastIndex(line => line.StartsWith("Stopped docker.service", StringComparison.Ordinal));
        var volman = ends.FindLastIndex(line => line.StartsWith("Stopped volman.service", StringComparison.Ordinal));
        Assert.True(engine >= 0 && engine < volman, $"The engine stopped in line {engine}, volman in line {volman}.");
        Assert.DoesNotContain("timed out", string.Join('\n', ends), StringComparison.OrdinalIgnoreCase);
        machine.Passed();
    }

    [DebianFact]
    public async Task A_daemon_that_cannot_start_keeps_no_engine_from_starting_and_starts_when_it_can()
    {
        await using var machine = await DebianMachine.WithPackageAsync(packages, output.WriteLine);
        await machine.ShAsync("cp /etc/volman/volman.json /root; echo '{ \"backend\": \"tape\" }' >/etc/volman/volman.json");

        await machine.RebootAsync();

        await machine.UntilActiveAsync("docker.service");
        Assert.Contains("tape", await machine.ShAsync("journalctl --boot --unit volman --quiet --no-pager"), StringComparison.Ordinal);
        Assert.NotEqual("active", await machine.UnitAsync("ActiveState"));
        // systemd gives up after five starts in ten seconds, unless it is told not to.
        await Poll.UntilAsync("it has tried often", async () => int.Parse(await machine.UnitAsync("NRestarts")) > 6);

        await machine.ShAsync("cp /root/volman.json /etc/volman");
        await machine.UntilActiveAsync();
        await DebianInstalled.EngineKnowsItAsync(machine);
        machine.Passed();
    }

    /// <summary>Microseconds from the machine's boot until a unit was up.</summary>
    static async Task<long> StartedAsync(DebianMachine machine, string unit) => long.Parse(await machine.UnitAsync("ActiveEnterTimestampMonotonic", unit));
}
