using System.Diagnostics;
using Microsoft.EntityFrameworkCore;
using VolumeManager.Tests.Admin;
using VolumeManager.Tests.Hosts;
using VolumeManager.Volumes;
using Xunit.Abstractions;
using static VolumeManager.Tests.Volumes.InterruptedRestoreTests;

namespace VolumeManager.Tests.Volumes;

/// <summary>A daemon that is killed again and again while it removes and restores a volume.</summary>
public sealed class KilledRestoreTests(ITestOutputHelper output)
{
    [Fact]
    public async Task Killed_at_any_moment_of_removals_and_restorations_the_data_is_whole_and_the_catalog_knows_where()
    {
        await using var host = new TestHost();
        var seed = Environment.TickCount;
        var (random, work) = (new Random(seed), new Work());
        var kills = 0;
        // Until enough was interrupted and enough was not, however long a busy machine takes for it.
        for (; kills < 8 || work.Interrupted < 3 || work.Restored < 3; kills++)
        {
            Assert.True(kills < 60, $"seed {seed}: {kills} kills interrupted {work.Interrupted} restorations, {work.Restored} were acknowledged");
            if (kills > 0) await AgeAsync(host);
            using var daemon = await DaemonProcess.StartAsync(host);
            if (kills == 0) await host.Engine.CreateAsync("v0");
            if (kills == 0) await File.WriteAllTextAsync(host.DataOf("v0") + "/f", "data");
            using var operate = OperatorClient.Of(host);
            var working = work.RunAsync(host, operate);
            // After some calls, anywhere in the next one, by how long they take here.
            for (var until = work.Calls + random.Next(0, 6); !working.IsCompleted && work.Calls < until;) await Task.Delay(1);
            await Task.Delay(work.CallTime * random.NextDouble());
            await daemon.KillAsync();
            await working;
        }

        output.WriteLine($"seed {seed}: {kills} kills, {work.Restored} restorations acknowledged, {work.Interrupted} interrupted");
        await AgeAsync(host);
        using var last = await DaemonProcess.StartAsync(host);
        Volume? row = null;
        await Poll.UntilAsync("what was begun is finished", async () => (row = await RowAsync(host)).State is VolumeState.Ready or VolumeState.Trashed);
        if (row!.State == VolumeState.Trashed)
        {
            Assert.True(File.Exists(host.DataOf($".trash/{row.Name}.{row.Id:N}/f")));
            using var operate = OperatorClient.Of(host);
            Assert.Equal("", (await operate.RestoreAsync($"{row.Id}")).Detail);
        }

        Assert.Equal("data", await File.ReadAllTextAsync(host.DataOf(row.Name) + "/f"));
        Assert.Equal([row.Name], await host.Engine.ListAsync());
    }

    /// <summary>Whoever was killed was so less than two minutes ago: a cluster would wait for it.</summary>
    static async Task AgeAsync(TestHost host)
    {
        await using var db = host.OpenCatalog();
        await db.Database.ExecuteSqlAsync($"UPDATE volumes SET removed_at = '2026-01-01 00:00:00' WHERE removed_at IS NOT NULL");
    }

    /// <summary>Removals and restorations, one after the other, until the daemon is killed.</summary>
    sealed class Work
    {
        volatile int _calls;

        /// <summary>How many calls were answered.</summary>
        internal int Calls => _calls;

        /// <summary>How many restorations were answered with success.</summary>
        internal int Restored { get; private set; }

        /// <summary>How many restorations had no answer when the daemon was killed.</summary>
        internal int Interrupted { get; private set; }

        /// <summary>How long the last call took.</summary>
        internal TimeSpan CallTime { get; private set; } = TimeSpan.FromMilliseconds(20);

        internal async Task RunAsync(TestHost host, OperatorClient operate)
        {
            var isRestoring = false;
            try
            {
                for (var i = 0; ; i++)
                {
                    foreach (var name in await host.Engine.ListAsync()) await CountAsync(host.Engine.RemoveAsync(name));
                    foreach (var volume in await operate.TrashAsync())
                    {
                        isRestoring = true;
                        if ((await CountAsync(operate.RestoreAsync(volume.GetProperty("id").GetString()!, $"v{i % 3}"))).Status == 200) Restored++;
                        isRestoring = false;
                    }
                }
            }
            catch (Exception e) when (e is System.Net.Sockets.SocketException or HttpRequestException or System.Text.Json.JsonException or KeyNotFoundException or InvalidOperationException)
            {
                // It was killed.
                if (isRestoring) Interrupted++;
            }
        }

        async Task<T> CountAsync<T>(Task<T> call)
        {
            var began = Stopwatch.GetTimestamp();
            var answer = await call;
            CallTime = Stopwatch.GetElapsedTime(began);
            _calls++;
            return answer;
        }
    }
}
