using System.Text.Json;

namespace VolumeManager.Tests.Clusters;

/// <summary>What one host does, the others see at once; what one host holds, no other can take.</summary>
[Trait("Catalog", "postgres")]
public class ClusterTests
{
    [Fact]
    public async Task Capabilities_say_global()
    {
        await using var cluster = await TestCluster.StartNewAsync(1);
        Assert.Equal("""{"Capabilities":{"Scope":"global"}}""", (await cluster[0].Engine.CallAsync("/VolumeDriver.Capabilities", "{}")).Body);
    }

    [Fact]
    public async Task A_volume_made_on_one_host_is_in_Get_and_List_of_the_others_at_once_with_its_options_and_labels()
    {
        await using var cluster = await TestCluster.StartNewAsync(3);
        Assert.Equal("", await cluster[0].Engine.CreateAsync("v", new Dictionary<string, string> { ["mode"] = "0750", ["label.team"] = "a", ["size"] = "1G" }));
        foreach (var host in cluster.Hosts)
        {
            Assert.Equal(["v"], await host.Engine.ListAsync());
            var status = await StatusAsync(host.Engine, "v");
            Assert.Equal("0750", status.GetProperty("Options").GetProperty("mode").GetString());
            Assert.Equal("a", status.GetProperty("Labels").GetProperty("team").GetString());
            Assert.Equal("host-0", status.GetProperty("CreatedOnHost").GetString());
            Assert.False(status.TryGetProperty("Stale", out _));
        }

        Assert.Equal("", await cluster[1].Engine.RemoveAsync("v"));
        foreach (var host in cluster.Hosts)
        {
            Assert.Equal("no such volume", (await host.Engine.GetAsync("v")).Err);
            Assert.Empty(await host.Engine.ListAsync());
        }
    }

    [Fact]
    public async Task Create_raced_from_all_hosts_succeeds_on_all_with_one_row_and_one_directory()
    {
        await using var cluster = await TestCluster.StartNewAsync(5);
        for (var round = 0; round < 5; round++)
        {
            var name = $"raced-{round}";
            var answers = await Task.WhenAll(Enumerable.Range(0, 50).Select(i => cluster[i % 5].Engine.CreateAsync(name, new Dictionary<string, string> { ["mode"] = "0770" })));
            Assert.All(answers, answer => Assert.Equal("", answer));
            Assert.Equal(1, await cluster.ScalarAsync<long>($"SELECT count(*) FROM volumes WHERE name = '{name}'"));
            Assert.Equal(1, await cluster.ScalarAsync<long>($"SELECT count(*) FROM events WHERE volume_name = '{name}' AND kind = 'create'"));
            Assert.True(Directory.Exists(cluster[0].DataOf(name)));
            Assert.Equal("", await cluster[round].Engine.MountAsync(name, "x"));
            Assert.Equal("", await cluster[round].Engine.UnmountAsync(name, "x"));
        }
    }

    [Fact]
    public async Task Other_options_for_a_name_that_another_host_made_are_refused_by_name()
    {
        await using var cluster = await TestCluster.StartNewAsync(2);
        Assert.Equal("", await cluster[0].Engine.CreateAsync("v", new Dictionary<string, string> { ["access"] = "single-host" }));
        Assert.Equal(
            "volume v exists with other options (access is \"single-host\", not \"shared\", mode is \"0755\", not \"0700\"): use it as it is, or choose another name",
            await cluster[1].Engine.CreateAsync("v", new Dictionary<string, string> { ["mode"] = "0700" }));
        Assert.Equal("", await cluster[1].Engine.CreateAsync("v"));
    }

    [Fact]
    public async Task Remove_is_refused_while_any_host_holds_the_volume_and_names_them_all()
    {
        await using var cluster = await TestCluster.StartNewAsync(3);
        Assert.Equal("", await cluster[0].Engine.CreateAsync("v"));
        Assert.Equal("", await cluster[0].Engine.MountAsync("v", "a"));
        Assert.Equal("", await cluster[1].Engine.MountAsync("v", "b"));
        Assert.Equal("", await cluster[1].Engine.MountAsync("v", "c"));
        Assert.Equal("", await cluster[1].Engine.MountAsync("v", "c"));

        var refusal = await cluster[2].Engine.RemoveAsync("v");
        Assert.StartsWith("volume v is in use on host host-0 (1 caller since ", refusal, StringComparison.Ordinal);
        Assert.Contains("host host-1 (2 callers since ", refusal, StringComparison.Ordinal);
        var holders = (await StatusAsync(cluster[2].Engine, "v")).GetProperty("Holders").EnumerateArray()
            .Select(h => $"{h.GetProperty("Host")} {h.GetProperty("State")} {h.GetProperty("Callers")} {h.GetProperty("Mounts")}").Order();
        Assert.Equal(["host-0 live 1 1", "host-1 live 2 3"], holders);

        Assert.Equal("", await cluster[0].Engine.UnmountAsync("v", "a"));
        Assert.Equal("", await cluster[1].Engine.UnmountAsync("v", "b"));
        Assert.Equal("", await cluster[1].Engine.UnmountAsync("v", "c"));
        Assert.StartsWith("volume v is in use on host host-1 (1 caller", await cluster[0].Engine.RemoveAsync("v"), StringComparison.Ordinal);
        Assert.Equal("", await cluster[1].Engine.UnmountAsync("v", "c"));
        Assert.Equal("", await cluster[0].Engine.RemoveAsync("v"));
        Assert.Empty(cluster[1].KernelMounts());
    }

    [Fact]
    public async Task A_mount_finds_the_new_volume_of_a_name_that_others_removed_and_made_anew()
    {
        await using var cluster = await TestCluster.StartNewAsync(2);
        Assert.Equal("", await cluster[0].Engine.CreateAsync("v"));
        Assert.Equal(["v"], await cluster[1].Engine.ListAsync());
        Assert.Equal("", await cluster[0].Engine.RemoveAsync("v"));
        Assert.Equal("", await cluster[0].Engine.CreateAsync("v"));
        Assert.Equal("", await cluster[1].Engine.MountAsync("v", "x"));
        Assert.Equal("", await cluster[1].Engine.UnmountAsync("v", "x"));
        Assert.Equal("", await cluster[0].Engine.RemoveAsync("v"));
        Assert.Equal("no such volume: v", await cluster[1].Engine.MountAsync("v", "x"));
    }

    internal static async Task<JsonElement> StatusAsync(PluginClient engine, string volume) =>
        (await engine.GetAsync(volume)).Json.GetProperty("Volume").GetProperty("Status");
}
