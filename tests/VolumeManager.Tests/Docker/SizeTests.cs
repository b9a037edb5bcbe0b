using VolumeManager.Linux;
using VolumeManager.Tests.Hosts;
using VolumeManager.Tests.Linux;

namespace VolumeManager.Tests.Docker;

/// <summary>The option <c>size</c>: a limit where the file system has project quotas, and a sentence in Status where it has none.</summary>
public sealed class SizeTests
{
    static readonly Dictionary<string, string> s_limited = new() { ["size"] = "4M" };

    [Fact]
    public async Task Without_quotas_a_volume_is_what_it_always_was_and_Status_says_so()
    {
        using var folder = new ScratchFolder();
        await Command.OutputOfAsync("mount", "-t", "tmpfs", "tmpfs", folder.Make("data"));
        await using var host = new TestHost("test-host", "", folder.Of("data"));
        await host.StartAsync();
        Assert.Equal("", await host.Engine.CreateAsync("v", s_limited));
        var why = $"no: the file system of {folder.Of("data")} has no project quotas; use XFS or ext4, mounted with prjquota";
        Assert.Equal(why, await EnforcedAsync(host, "v"));
        await host.RestartAsync();
        await Poll.UntilAsync("the pass after the start finds it out", async () => await EnforcedAsync(host, "v") == why);
        Assert.Equal("", await host.Engine.MountAsync("v", "x"));
        await File.WriteAllBytesAsync(host.TargetOf("v") + "/f", new byte[8 << 20]);
        Assert.Equal("", await host.Engine.UnmountAsync("v", "x"));
        Assert.Equal("", await host.Engine.RemoveAsync("v"));
        Assert.Single(Directory.GetDirectories(host.DataOf(".trash")));
    }

    [Fact]
    public async Task Of_a_volume_on_a_server_the_server_must_limit_the_size()
    {
        await using var host = new TestHost();
        host.Settings = host.Settings with { Backend = "nfs", NfsServer = "localhost", NfsExport = "/none" };
        await host.PrepareAsync();
        await host.StartAsync();
        await using (var db = host.OpenCatalog())
        {
            var volume = new VolumeManager.Volumes.Volume
            {
                Id = Guid.NewGuid(),
                Name = "v",
                Backend = "nfs",
                Server = "localhost",
                Export = "/none",
                Directory = "v",
                SizeBytes = 1,
                CreatedAt = DateTime.UtcNow,
                CreatedOnHost = "elsewhere",
            };
            db.Add(volume);
            await db.SaveChangesAsync();
        }

        await host.RestartAsync();
        Assert.Equal("no: the NFS server must limit it", await EnforcedAsync(host, "v"));
    }

    [QuotaTheory]
    [InlineData("xfs")]
    [InlineData("ext4")]
    public async Task With_quotas_a_volume_is_full_at_its_size_also_after_a_restart_and_leaves_no_limit_behind(string kind)
    {
        using var disk = await QuotaDisk.MakeAsync(kind);
        await using var host = new TestHost("test-host", "", disk.Root + "/data");
        host.Settings = host.Settings with { TrashRetention = TimeSpan.Zero };
        await host.StartAsync();
        Assert.Equal("", await host.Engine.CreateAsync("v", s_limited));
        Assert.Equal("yes", await EnforcedAsync(host, "v"));
        await host.Engine.MountAsync("v", "x");
        await host.RestartAsync();
        await Poll.UntilAsync("the pass after the start finds it out", async () => await EnforcedAsync(host, "v") == "yes");
        Assert.InRange(await QuotaDisk.FillAsync(host.TargetOf("v") + "/f"), 3 << 20, 4 << 20);
        using var directory = LibC.Open(null, host.DataOf("v"), LibC.O_RDONLY | LibC.O_DIRECTORY);
        var id = ProjectQuota.ProjectOf(directory).Id;
        Assert.Equal(4 << 20, ProjectQuota.UsageOf(directory, id).Limit);
        await host.Engine.UnmountAsync("v", "x");
        Assert.Equal("", await host.Engine.RemoveAsync("v"));
        await Poll.UntilAsync("the limit is gone with the data", () => ProjectQuota.UsageOf(directory, id).Limit == 0);
    }

    static async Task<string?> EnforcedAsync(TestHost host, string volume) =>
        (await host.Engine.GetAsync(volume)).Json.GetProperty("Volume").GetProperty("Status").GetProperty("SizeEnforced").GetString();
}
