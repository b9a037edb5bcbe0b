using VolumeManager.Tests.Hosts;

namespace VolumeManager.Tests.Doctor;

/// <summary>What is under way is no finding: a healthy host is told to be healthy, however much it has to do.</summary>
public sealed class HealthyHostTests
{
    // Enough for the doctor to meet calls at all their steps; a machine that is busy needs longer for it.
    const int Looks = 6;
    const int Calls = 400;

    [Fact]
    public async Task One_that_has_nothing_is_healthy()
    {
        await using var host = await TestHost.StartNewAsync();
        Assert.Empty(await host.DiagnoseAsync());
        var (repaired, left) = await host.RepairAsync();
        Assert.Empty(repaired);
        Assert.Empty(left);
    }

    [Fact]
    public async Task Under_load_there_is_no_false_alarm_and_no_request_fails()
    {
        await using var host = new TestHost();
        // The passes in the background are a part of the load, and the doctor takes the program's time between its two looks.
        host.Settings = host.Settings with { Timings = Timings.Real, ReconcileInterval = TimeSpan.FromMilliseconds(300), UsageInterval = TimeSpan.FromSeconds(1) };
        await host.StartAsync();
        await LoadAsync([host]);
    }

    [Fact]
    public async Task Nor_is_there_where_two_hosts_are_at_it_in_one_directory()
    {
        await using var cluster = await Clusters.TestCluster.StartNewAsync(2, start: false);
        foreach (var host in cluster.Hosts)
        {
            host.Settings = host.Settings with { Timings = Timings.Real };
            await host.StartAsync();
        }

        await LoadAsync(cluster.Hosts);
    }

    /// <summary>Each client has volumes of its own, one that it keeps mounted and others that come and go, and one that all clients of all hosts make, use and remove.</summary>
    static async Task LoadAsync(IReadOnlyList<TestHost> hosts)
    {
        using var stop = new CancellationTokenSource();
        var calls = 0;
        var clients = hosts.SelectMany((host, h) => Enumerable.Range(0, 4).Select(c => Task.Run(async () =>
        {
            var engine = host.Engine;
            var kept = $"kept-{h}-{c}";
            Assert.Equal("", await engine.CreateAsync(kept));
            Assert.Equal("", await engine.MountAsync(kept, "keeper"));
            for (var round = 0; !stop.IsCancellationRequested; round++)
            {
                var own = $"own-{h}-{c}-{round % 3}";
                Assert.Equal("", await engine.CreateAsync(own));
                Assert.Equal("", await engine.MountAsync(own, $"caller-{round}"));
                Assert.Equal("", await engine.MountAsync(kept, $"caller-{round}"));
                // A name that others create, mount and remove at the same time: each may find it gone, or in use.
                const string common = "common";
                await engine.CreateAsync(common);
                if (await engine.MountAsync(common, $"{h}-{c}") == "") await engine.UnmountAsync(common, $"{h}-{c}");
                await engine.RemoveAsync(common);
                Assert.Equal("", await engine.UnmountAsync(kept, $"caller-{round}"));
                Assert.Equal("", await engine.UnmountAsync(own, $"caller-{round}"));
                Assert.Equal("", await engine.RemoveAsync(own));
                Interlocked.Add(ref calls, 9);
            }
        }))).ToList();
        var looks = 0;
        for (; looks < Looks || Volatile.Read(ref calls) < Calls; looks++)
        {
            foreach (var failed in clients.Where(client => client.IsFaulted)) await failed;
            foreach (var found in await Task.WhenAll(hosts.Select(host => host.DiagnoseAsync()))) Assert.Empty(Own(found));
            foreach (var host in hosts) Assert.Empty((await host.RepairAsync()).Repaired);
        }

        await stop.CancelAsync();
        await Task.WhenAll(clients);
        foreach (var host in hosts) Assert.Empty(Own(await host.DiagnoseAsync()));

        // Hosts of one kernel see each other's mounts, which hosts of their own kernels cannot.
        IEnumerable<Patient.Told> Own(IEnumerable<Patient.Told> found) => found.Where(f => hosts.Count == 1 || f.Code != "use-unclaimed");
    }
}
