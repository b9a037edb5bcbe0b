using VolumeManager.Tests.Admin;
using VolumeManager.Tests.Linux;

namespace VolumeManager.Tests.Clusters;

/// <summary>Data is deleted by one host of the cluster, however long that takes. The data lies on a disk that is frozen meanwhile, so that it takes long.</summary>
[Trait("Catalog", "postgres")]
public sealed class JanitorClaimTests : IAsyncLifetime
{
    static readonly TimeSpan s_claim = TimeSpan.FromSeconds(2);

    TestCluster _cluster = null!;
    string _data = null!;
    bool _frozen;

    public async Task InitializeAsync()
    {
        _cluster = await TestCluster.StartNewAsync(2, start: false);
        _data = _cluster[0].Settings.DataRoot;
        await Command.OutputOfAsync("sh", "-c", """truncate -s 64M "$0.img" && mkfs.ext4 -q -N 20000 "$0.img" && mount -o loop "$0.img" "$0" && rmdir "$0/lost+found" """, _data);
        foreach (var host in _cluster.Hosts)
        {
            host.Settings = host.Settings with { ReconcileInterval = TimeSpan.FromMilliseconds(100), Lease = TimeSpan.FromSeconds(3), Timings = host.Settings.Timings with { JanitorClaim = s_claim } };
            await host.StartAsync();
        }

        Assert.Equal("", await _cluster[0].Engine.CreateAsync("v"));
        await Command.OutputOfAsync("sh", "-c", "cd \"$0\" && seq -f 'f%g' 15000 | xargs touch", _cluster[0].DataOf("v"));
        Assert.Equal("", await _cluster[0].Engine.RemoveAsync("v"));
        await Command.OutputOfAsync("fsfreeze", "--freeze", _data);
        _frozen = true;
        using var operate = OperatorClient.Of(_cluster[0]);
        Assert.Equal(200, (await operate.SendAsync("DELETE", "/v1/trash/v")).Status);
        await Poll.UntilAsync("a purge has begun", async () => await StateAsync() == "purging");
    }

    public async Task DisposeAsync()
    {
        if (_frozen) await ThawAsync();
        foreach (var host in _cluster.Hosts) await host.StopAsync();
        await Command.OutputOfAsync("sh", "-c", """umount "$0" && rm "$0.img" """, _data);
        await _cluster.DisposeAsync();
    }

    async Task ThawAsync()
    {
        await Command.OutputOfAsync("fsfreeze", "--unfreeze", _data);
        _frozen = false;
    }

    Task<string?> StateAsync() => _cluster.ScalarAsync<string>("SELECT state FROM volumes");

    Task<string?> JanitorAsync() => _cluster.ScalarAsync<string>("SELECT name FROM catalog JOIN hosts ON hosts.id = janitor_host_id");

    Task<DateTime> UntilAsync() => _cluster.ScalarAsync<DateTime>("SELECT janitor_until FROM catalog");

    [FreezableDiskFact]
    public async Task A_purge_that_takes_longer_than_a_claim_stays_with_the_host_that_began_it()
    {
        var janitor = await JanitorAsync();
        var until = await UntilAsync();
        await Poll.UntilAsync("the claim has lasted three times as long", async () =>
        {
            Assert.Equal((janitor, "purging"), (await JanitorAsync(), await StateAsync()));
            return await UntilAsync() > until + s_claim * 2;
        });
        await ThawAsync();
        await Poll.UntilAsync("the data is deleted", async () => await StateAsync() == "gone");
        Assert.Equal(janitor, await _cluster.ScalarAsync<string>("SELECT string_agg(host, ' ') FROM events WHERE kind = 'purge'"));
        Assert.Empty(Directory.GetFileSystemEntries(_data + "/.trash"));
    }

    [FreezableDiskFact]
    public async Task Who_has_lost_the_claim_stops_among_the_files_and_another_host_goes_on()
    {
        // The claim of a host that nobody hears of any more.
        await _cluster.ExecuteAsync("UPDATE catalog SET janitor_host_id = '00000000-0000-0000-0000-000000000001', janitor_until = now() + interval '1 hour'");
        await Task.Delay(1000);
        await ThawAsync();
        await Task.Delay(1000);
        Assert.Equal("purging", await StateAsync());
        Assert.NotEmpty(Directory.GetFileSystemEntries(_data + "/.trash"));
        Assert.Equal(0, await _cluster.ScalarAsync<long>("SELECT count(*) FROM events WHERE kind = 'purge'"));

        await _cluster.ExecuteAsync("UPDATE catalog SET janitor_until = now()");
        await Poll.UntilAsync("the data is deleted", async () => await StateAsync() == "gone");
        Assert.Equal(1, await _cluster.ScalarAsync<long>("SELECT count(*) FROM events WHERE kind = 'purge'"));
        Assert.Empty(Directory.GetFileSystemEntries(_data + "/.trash"));
    }
}
