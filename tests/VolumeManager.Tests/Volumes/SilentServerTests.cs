using System.Net;
using System.Net.Sockets;
using Microsoft.EntityFrameworkCore;
using VolumeManager.Catalog;
using VolumeManager.Tests.Hosts;
using VolumeManager.Volumes;

namespace VolumeManager.Tests.Volumes;

/// <summary>Volumes of an NFS server that does not answer. Their rows are planted, for there is no server that they could be made on.</summary>
public sealed class SilentServerTests : IAsyncLifetime, IDisposable
{
    TestHost _host = null!;

    readonly RefusingPort _port = new();

    public async Task InitializeAsync()
    {
        _host = new TestHost();
        _host.Settings = _host.Settings with { ReconcileInterval = TimeSpan.FromMilliseconds(50) };
        await _host.StartAsync();
    }

    public async Task DisposeAsync() => await _host.DisposeAsync();

    public void Dispose() => _port.Dispose();

    /// <summary>Volumes on the server; those that are trashed are due since long ago.</summary>
    async Task PlantAsync(VolumeState state, int count = 1, int? port = null)
    {
        Assert.Equal("", await _host.Engine.CreateAsync("template"));
        await _host.StopAsync();
        await using (var db = _host.OpenCatalog())
        {
            var template = await db.Volumes.AsNoTracking().SingleAsync(v => v.Name == "template");
            DateTime? removedAt = state == VolumeState.Ready ? null : new DateTime(2026, 1, 1, 0, 0, 0, DateTimeKind.Utc);
            for (var i = 0; i < count; i++)
            {
                var volume = template with
                {
                    Id = Guid.CreateVersion7(),
                    Name = $"nfs-{i}",
                    Directory = $"nfs-{i}",
                    Backend = "nfs",
                    Server = "127.0.0.1",
                    Export = "/volumes",
                    State = state,
                    RemovedAt = removedAt,
                    PurgeAfter = removedAt,
                };
                db.Volumes.Add(volume);
                db.VolumeOptions.Add(new VolumeOption { VolumeId = volume.Id, Key = "nfsopts", Value = $"port={port ?? _port.Number},soft,timeo=1,retrans=0" });
            }

            await db.SaveChangesAsync();
        }

        await _host.StartAsync();
    }

    /// <summary>A volume that was removed later, and so comes last in a pass, is deleted.</summary>
    async Task PassedAsync(string name)
    {
        Assert.Equal("", await _host.Engine.CreateAsync(name, new Dictionary<string, string> { ["on-remove"] = "delete" }));
        Assert.Equal("", await _host.Engine.RemoveAsync(name));
        await Poll.UntilAsync($"{name} is purged", async () => (await _host.EventsAsync(name)).Contains("purge"));
    }

    async Task<string> RowsAsync(string state)
    {
        await using var db = _host.OpenCatalog();
        var rows = await db.Volumes.Where(v => v.Backend == "nfs").Select(v => new { v.State, v.Revision }).ToListAsync();
        return string.Join(' ', rows.Where(r => EnumText.Of(r.State) == state).Select(r => r.Revision).Distinct());
    }

    [Fact]
    public async Task What_nobody_has_touched_stays_in_the_trash()
    {
        await PlantAsync(VolumeState.Trashed);
        var before = await RowsAsync("trashed");
        Assert.NotEqual("", before);
        await PassedAsync("one");
        await PassedAsync("other");
        Assert.Equal((before, ""), (await RowsAsync("trashed"), await RowsAsync("purging")));
    }

    [Fact]
    public async Task It_is_measured_where_its_own_options_say_that_the_server_is()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        _host.Settings = _host.Settings with { UsageInterval = TimeSpan.FromHours(1) };
        await PlantAsync(VolumeState.Ready, port: ((IPEndPoint)listener.LocalEndpoint).Port);
        using var asked = await listener.AcceptTcpClientAsync().WaitAsync(TimeSpan.FromMinutes(2));
        // Nobody is there any more whom the kernel could wait for.
        listener.Stop();
    }

    [Fact]
    public async Task However_many_they_are_they_are_in_nobodys_way()
    {
        // More than are read at a time, and all are due for longer.
        await PlantAsync(VolumeState.Trashed, 1200);
        await PassedAsync("behind");
        Assert.NotEqual("", await RowsAsync("trashed"));
    }

    [Fact]
    public async Task A_purge_that_was_cut_off_is_no_news_while_it_waits()
    {
        await PlantAsync(VolumeState.Purging);
        var before = await RowsAsync("purging");
        await PassedAsync("one");
        await PassedAsync("other");
        Assert.Equal(before, await RowsAsync("purging"));
    }
}
