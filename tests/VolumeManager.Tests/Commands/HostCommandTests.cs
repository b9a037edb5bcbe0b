using VolumeManager.Tests.Clusters;

namespace VolumeManager.Tests.Commands;

/// <summary><c>volman host</c> as an operator runs it: the table of hosts, and the word that one of them is no more.</summary>
[Trait("Catalog", "postgres")]
public class HostCommandTests
{
    static Task<VolmanProcess.Ended> HostAsync(TestCluster cluster, params string[] arguments) =>
        VolmanProcess.RunAsync(["host", .. arguments, "--database", cluster.Server.ConnectionString(cluster.Database)], null);

    [Fact]
    public async Task Its_help_names_the_verbs_and_what_evict_means()
    {
        var help = await VolmanProcess.RunAsync("host", "--help");
        Assert.Equal((0, ""), (help.ExitCode, help.Errors));
        foreach (var verb in new[] { "ls", "evict <name>" }) Assert.Matches($"\n  {verb} +[A-Z]", help.Output);
        var evict = await VolmanProcess.RunAsync("host", "evict", "--help");
        Assert.Contains("--force", evict.Output, StringComparison.Ordinal);
        Assert.Contains("Make sure first that the machine is off", evict.Output, StringComparison.Ordinal);
        foreach (var wrong in new[] { await VolmanProcess.RunAsync("host"), await VolmanProcess.RunAsync("host", "evict"), await VolmanProcess.RunAsync("host", "ls", "--format", "json") })
        {
            Assert.Equal(2, wrong.ExitCode);
            Assert.NotEqual("", wrong.Errors);
        }
    }

    [Fact]
    public async Task Without_a_database_or_with_one_that_is_away_or_empty_it_says_what_to_do()
    {
        VolmanProcess.AssertRefused("no volman answers on /none.sock: start volman serve, or name its socket with --admin-socket", await VolmanProcess.RunAsync("host", "ls", "--admin-socket", "/none.sock"));
        foreach (var verb in new string[][] { ["ls"], ["evict", "h"] })
        {
            VolmanProcess.AssertRefused(
                "the catalog's database volman on 127.0.0.1 does not answer \\(Connection refused\\): see to it, then try again",
                await VolmanProcess.RunAsync(["host", .. verb, "--database", "Host=127.0.0.1;Port=1;Database=volman;Username=volman;Password=secret"], null));
        }

        var server = await SharedServer.GetAsync();
        VolmanProcess.AssertRefused(
            "the catalog's database .+ refused \\(relation \"hosts\" does not exist\\): nothing was changed; run volman migrate",
            await VolmanProcess.RunAsync("host", "ls", "--database", server.ConnectionString(await server.CreateDatabaseAsync())));
    }

    [Fact]
    public async Task Hosts_are_a_table_with_aligned_columns_and_the_evicted_ones_last()
    {
        await using var cluster = await TestCluster.StartNewAsync(1);
        await cluster.AddAsync("a-host-with-a-rather-long-name");
        await cluster.AddAsync("z");
        await cluster.AddAsync("aa");
        foreach (var name in new[] { "v", "w" })
        {
            Assert.Equal("", await cluster[0].Engine.CreateAsync(name));
            Assert.Equal("", await cluster[0].Engine.MountAsync(name, "x"));
        }

        await cluster.CutAsync(2);
        await cluster.ExpireLeaseAsync(2);
        await cluster[3].StopAsync();
        Assert.Equal(0, (await HostAsync(cluster, "evict", "aa")).ExitCode);
        var listed = await HostAsync(cluster, "ls");
        Assert.Equal((0, ""), (listed.ExitCode, listed.Errors));
        var lines = listed.Output.TrimEnd('\n').Split('\n');
        Assert.Matches("^NAME +STATE +MOUNTS +ADDRESS +LAST SEEN +VERSION$", lines[0]);
        Assert.Equal(["a-host-with-a-rather-long-name live 0", "host-0 live 2", "z lost 0", "aa evicted 0"], lines.Skip(1).Select(l => string.Join(' ', l.Split(' ', StringSplitOptions.RemoveEmptyEntries)[..3])));
        // Every column begins below its heading, and nothing trails.
        foreach (var heading in new[] { "STATE", "MOUNTS", "LAST SEEN", "VERSION" })
        {
            var column = lines[0].IndexOf(heading, StringComparison.Ordinal);
            Assert.All(lines, line => Assert.Matches("^ [^ ]$", line.Substring(column - 1, 2)));
        }

        Assert.All(lines, line => Assert.Equal(line.TrimEnd(), line));
        Assert.All(lines.Skip(1), line => Assert.Matches($@" 20\d\d-\d\d-\d\d \d\d:\d\d:\d\dZ +{ProgramVersion.Text}$", line));
    }

    [Fact]
    public async Task A_daemon_is_asked_that_needs_no_secret_and_the_database_when_there_is_none()
    {
        await using var cluster = await TestCluster.StartNewAsync(2);
        string[] socket = ["--admin-socket", cluster[1].Settings.AdminSocket];
        var hosts = System.Text.Json.JsonDocument.Parse((await VolmanProcess.RunAsync(["host", "ls", "--output", "json", .. socket], null)).Output).RootElement;
        Assert.Equal(["host-0 live", "host-1 live"], hosts.EnumerateArray().Select(h => $"{h.GetProperty("name")} {h.GetProperty("state")}"));
        await cluster[0].StopAsync();
        await cluster.ExpireLeaseAsync(0);
        Assert.Equal(new VolmanProcess.Ended(0, "Host host-0 is evicted: 0 mounts dropped.\n", ""), await VolmanProcess.RunAsync(["host", "evict", "host-0", .. socket], null));
        Assert.Equal("root (uid 0)", await cluster.ScalarAsync<string>("SELECT actor FROM events WHERE kind = 'host-evict'"));
        VolmanProcess.AssertRefused("there is no host nobody to evict: see volman host ls", await VolmanProcess.RunAsync(["host", "evict", "nobody", .. socket], null));

        await cluster[1].StopAsync();
        var variables = new Dictionary<string, string> { ["VOLMAN_DATABASE"] = cluster.Server.ConnectionString(cluster.Database) };
        var listed = await VolmanProcess.RunAsync(["host", "ls", .. socket], variables);
        Assert.Equal((0, ""), (listed.ExitCode, listed.Errors));
        Assert.Contains("host-0", listed.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_live_host_is_evicted_by_force_only_a_lost_one_at_once_and_nobody_twice()
    {
        await using var cluster = await TestCluster.StartNewAsync(2);
        Assert.Equal("", await cluster[0].Engine.CreateAsync("single", new Dictionary<string, string> { ["access"] = "single-host" }));
        Assert.Equal("", await cluster[0].Engine.CreateAsync("shared"));
        foreach (var name in new[] { "single", "shared" }) Assert.Equal("", await cluster[0].Engine.MountAsync(name, "x"));

        VolmanProcess.AssertRefused("there is no host nobody to evict: see volman host ls", await HostAsync(cluster, "evict", "nobody"));
        VolmanProcess.AssertRefused("there is no host HOST-0 to evict: see volman host ls", await HostAsync(cluster, "evict", "HOST-0", "--force"));
        VolmanProcess.AssertRefused(
            "host host-0 is live: stop its containers and volman there first, or evict it with --force if its volumes must be free although it may still write to them",
            await HostAsync(cluster, "evict", "host-0"));
        var dryRun = new VolmanProcess.Ended(0, "Host host-0 would be evicted, and 2 mounts dropped; exclusive volumes that would be free: single.\n", "");
        VolmanProcess.AssertRefused("host host-0 is live: .+", await HostAsync(cluster, "evict", "host-0", "--dry-run"));
        Assert.Equal(dryRun, await HostAsync(cluster, "evict", "host-0", "--force", "--dry-run"));
        Assert.Equal(dryRun, await VolmanProcess.RunAsync(["host", "evict", "host-0", "--force", "--dry-run", "--admin-socket", cluster[1].Settings.AdminSocket], null));
        Assert.Equal(2, await cluster[0].CountMountRowsAsync());

        await cluster.CutAsync(0);
        await cluster.ExpireLeaseAsync(0, "1 second");
        Assert.Equal(dryRun, await HostAsync(cluster, "evict", "host-0", "--dry-run"));
        Assert.Equal(2, await cluster[0].CountMountRowsAsync());
        Assert.Equal(0, await cluster.ScalarAsync<long>("SELECT count(*) FROM events WHERE kind = 'host-evict'"));
        // The other host may have found out meanwhile that it is lost.
        Assert.Contains(await cluster.ScalarAsync<string>("SELECT state FROM hosts WHERE name = 'host-0'"), (string[])["live", "lost"]);
        Assert.Equal(new VolmanProcess.Ended(0, "Host host-0 is evicted: 2 mounts dropped, exclusive volumes free now: single.\n", ""), await HostAsync(cluster, "evict", "host-0"));
        Assert.Equal(0, await cluster[0].CountMountRowsAsync());
        Assert.Contains("evicted by ", await cluster.ScalarAsync<string>("SELECT detail FROM events WHERE kind = 'host-evict' AND volume_id IS NULL"), StringComparison.Ordinal);
        foreach (var flags in new string[][] { [], ["--dry-run"] })
        {
            VolmanProcess.AssertRefused("host host-0 is evicted already and holds nothing: there is nothing left to do", await HostAsync(cluster, ["evict", "host-0", .. flags]));
        }

        Assert.Equal("", await cluster[1].Engine.MountAsync("single", "y"));
        Assert.Equal(new VolmanProcess.Ended(0, "Host host-1 is evicted: 1 mount dropped, exclusive volumes free now: single.\n", ""), await HostAsync(cluster, "evict", "host-1", "--force"));
    }
}
