using VolumeManager.Tests.Doctor;

namespace VolumeManager.Tests.Clusters;

/// <summary>A host that serves a directory to the others: what it serves, and whom it lets in.</summary>
[Trait("Catalog", "postgres")]
public sealed class PublishedExportTests : ServingCluster
{
    [Fact]
    public async Task Each_live_host_has_a_line_of_its_own_and_the_serving_one_uses_the_directory_itself()
    {
        await StartAsync(3);
        Assert.Equal(
            [.. await Task.WhenAll(new[] { 1, 2 }.Select(async i => $"{Served} 192.0.2.{i}(rw,sync,no_subtree_check,no_root_squash,fsid={await FsidAsync(i)},anonuid=65534,sec=sys)"))],
            Exportfs.Table);
        Assert.Equal(Exportfs.Table.Select(line => line.Replace(",anonuid=65534,sec=sys", "", StringComparison.Ordinal)), File.ReadAllLines(Exportfs.Places.File).Where(line => !line.StartsWith('#')));
        Assert.NotEqual(await FsidAsync(1), await FsidAsync(2));

        Assert.Equal("", await Server.Engine.CreateAsync("v", new Dictionary<string, string> { ["uid"] = "33" }));
        Assert.Equal("", await Server.Engine.MountAsync("v", "x"));
        await File.WriteAllTextAsync(Server.TargetOf("v") + "/f", "written");
        Assert.Equal("written", await File.ReadAllTextAsync($"{Served}/v/f"));
        Assert.Equal("served.invalid:/e/v", (await ClusterTests.StatusAsync(Server.Engine, "v")).GetProperty("Directory").GetString());
        Assert.Equal("", await Server.Engine.UnmountAsync("v", "x"));
        Assert.Equal("", await Server.Engine.RemoveAsync("v"));

        // A host that comes later, and one that has another address after a restart.
        var late = await Cluster.AddAsync("host-3", start: false);
        late.Settings = late.Settings with { Address = "2001:db8::3" };
        await late.StartAsync();
        await LetInAsync("192.0.2.1 192.0.2.2 2001:db8::3");
        await Cluster[2].StopAsync();
        Cluster[2].Settings = Cluster[2].Settings with { Address = "192.0.2.22" };
        await Cluster[2].StartAsync();
        await LetInAsync("192.0.2.1 192.0.2.22 2001:db8::3");
    }

    /// <summary>A bad address in the catalog must not open the export to anyone outside the cluster.</summary>
    [Fact]
    public async Task What_is_not_the_address_of_one_other_host_is_never_exported_to()
    {
        await StartAsync(3);
        string[] hostile =
        [
            "192.0.2.9\n/ *(rw,no_root_squash,insecure)", "*", "*.example.com", "@hosts", "gss/krb5", "192.0.2.0/24", "192.0.2.9(rw,no_root_squash) 192.0.2.10", "0.0.0.0",
            "255.255.255.255", "::", "127.0.0.1", "::1", "::ffff:192.0.2.9", "fe80::1%eth0", "010.0.0.1", "1", "", Server.Settings.Address,
        ];
        // Whoever can change the schema can take these away.
        foreach (var table in new[] { "hosts", "export_clients" }) await Cluster.ExecuteAsync($"ALTER TABLE {table} DROP CONSTRAINT \"CK_{table}_address\"");
        foreach (var address in hostile)
        {
            await AddressAsync(address);
            await LetInAsync("192.0.2.2");
            await Poll.UntilAsync("it is found", async () => (await Server.DiagnoseAsync()).Count > 0);
            await Server.TellsAsync("export-unserved", "error", "what the catalog has as the address of host host-1 is not the IP address of one other host", "it is tried again each second");
            var lines = File.ReadAllLines(Exportfs.Places.File).Where(line => !line.StartsWith('#')).ToList();
            Assert.StartsWith($"{Served} 192.0.2.2(", Assert.Single(lines), StringComparison.Ordinal);

            await AddressAsync("192.0.2.1");
            await LetInAsync("192.0.2.1 192.0.2.2");
        }

        Task<int> AddressAsync(string address) => Cluster.ExecuteAsync(
            $"UPDATE hosts SET address = '{address}' WHERE name = 'host-1'; UPDATE export_clients SET address = '{address}' WHERE host_id = (SELECT id FROM hosts WHERE name = 'host-1')");
    }

    [Fact]
    public async Task What_somebody_did_to_the_table_is_put_right()
    {
        await StartAsync(2);
        var table = Exportfs.Table;
        File.Delete(Exportfs.Places.Table);
        await LetInAsync("192.0.2.1");
        File.WriteAllText(Exportfs.Places.Table, table[0].Replace(' ', '\t').Replace("fsid=", "fsid=00000000", StringComparison.Ordinal) + "\n/other\t192.0.2.1(rw)\n");
        Exportfs.Export(Served, "192.0.2.9");
        await Poll.UntilAsync("its line is back", () => Exportfs.Table.Contains(table[0]));
        Assert.Contains("/other 192.0.2.1(rw)", Exportfs.Table);
    }

    [Fact]
    public async Task What_keeps_it_from_being_served_is_told_by_the_doctor_until_it_is_served_again()
    {
        await StartAsync(2);
        Assert.Empty(await Server.DiagnoseAsync());
        Exportfs.IsBroken = true;
        File.Delete(Exportfs.Places.Table);
        await Poll.UntilAsync("it is found", async () => (await Server.DiagnoseAsync()).Count > 0);
        await Server.TellsAsync("export-unserved", "error", "this host does not serve served.invalid:/e to the others as it should (", "it is tried again each second");
        Assert.Contains("exportfs: out of order", (await Server.FindOneAsync("export-unserved", "error")).Problem, StringComparison.Ordinal);
        Exportfs.IsBroken = false;
        await LetInAsync("192.0.2.1");
        await Poll.UntilAsync("doctor finds nothing", async () => (await Server.DiagnoseAsync()).Count == 0);

        await File.WriteAllTextAsync($"{Exportfs.Places.Server}/threads", "0\n");
        await Poll.UntilAsync("it is found", async () => (await Server.DiagnoseAsync()).Count > 0);
        await Server.TellsAsync("export-unserved", "error", "(the kernel's NFS server does not run: start it", "it is tried again each second");
    }

    [Fact]
    public async Task Of_two_hosts_with_one_address_the_live_one_is_let_in_and_others_are_served_on()
    {
        await StartAsync(3);
        await Cluster.ExecuteAsync("UPDATE export_clients SET address = '192.0.2.1'; UPDATE hosts SET address = '192.0.2.1' WHERE name = 'host-2'; UPDATE hosts SET state = 'lost' WHERE name = 'host-1'");
        await Cluster.CutAsync(1);
        await Poll.UntilAsync("the live one has the address", async () => Exportfs.Table is [var line] && line.Contains($"fsid={await FsidAsync(2)}", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Another_directory_is_not_served_in_its_place_and_when_it_is_not_told_to_the_host_serves_no_more()
    {
        await StartAsync(2);
        await Server.StopAsync();
        Assert.Equal("192.0.2.1", Exportfs.Clients);
        using var other = new ScratchFolder();
        Server.Settings = Server.Settings with { ExportDirectory = other.FullPath };
        await Server.StartAsync();
        Assert.Equal(Served, await Cluster.ScalarAsync<string>("SELECT directory FROM exports"));
        Assert.Matches(@"^volume new cannot be reached: served.invalid:/e was served from another directory than .*: mount the disk that belongs there or", await Server.Engine.CreateAsync("new"));
        Assert.DoesNotContain(Exportfs.Table, line => line.StartsWith(other.FullPath, StringComparison.Ordinal));

        await Server.StopAsync();
        Server.Settings = Server.Settings with { ExportDirectory = "" };
        await Server.StartAsync();
        await LetInAsync("");
        await Poll.UntilAsync("the catalog knows", async () => await Cluster.ScalarAsync<long>("SELECT count(*) FROM exports") == 0);
        // Forgotten last: a daemon that is killed before that withdraws it once more.
        await Poll.UntilAsync("its file is gone", () => !File.Exists(Exportfs.Places.File));
    }
}
