using VolumeManager.Tests.Hosts;
using VolumeManager.TestSupport.Postgres;

namespace VolumeManager.Tests.Clusters;

/// <summary>Several hosts over one PostgreSQL and one data directory. Each has its own way to the database, which can be cut.</summary>
public sealed class TestCluster : IAsyncDisposable
{
    readonly ScratchFolder _data = new();
    readonly List<TestHost> _hosts = [];
    readonly List<PostgresProxy> _links = [];

    TestCluster(PostgresServer server, string database) => (Server, Database) = (server, database);

    internal PostgresServer Server { get; }

    internal string Database { get; }

    public TestHost this[int host] => _hosts[host];

    public IReadOnlyList<TestHost> Hosts => _hosts;

    internal IReadOnlyList<PostgresProxy> Links => _links;

    public static async Task<TestCluster> StartNewAsync(int hosts, bool start = true)
    {
        var cluster = new TestCluster(await SharedServer.GetAsync(), await SharedServer.TakeDatabaseAsync());
        for (var i = 0; i < hosts; i++) await cluster.AddAsync($"host-{i}", start);
        return cluster;
    }

    /// <summary>Hosts that reconcile and purge all the time, with a lease of their own.</summary>
    public static async Task<TestCluster> StartQuickAsync(int hosts, TimeSpan lease)
    {
        var cluster = await StartNewAsync(hosts, start: false);
        foreach (var host in cluster.Hosts)
        {
            host.Settings = host.Settings with { ReconcileInterval = TimeSpan.FromMilliseconds(100), Lease = lease };
            await host.StartAsync();
        }

        return cluster;
    }

    public async Task<TestHost> AddAsync(string name, bool start = true)
    {
        var link = await PostgresProxy.StartAsync(Server.Socket);
        _links.Add(link);
        var host = new TestHost(name, PostgresServer.ConnectionString(link.SocketDirectory, link.Port, Database), _data.FullPath, Server.ConnectionString(Database, extra: "Pooling=false"));
        _hosts.Add(host);
        if (start) await host.StartAsync();
        return host;
    }

    public Task<int> ExecuteAsync(string sql) => Server.ExecuteAsync(sql, Database);

    public Task<T?> ScalarAsync<T>(string sql) => Server.ScalarAsync<T>(sql, Database);

    /// <summary>Brings all volumes into another state, as some host does; the others hear of it.</summary>
    public Task<int> ChangeVolumesAsync(string set) => ExecuteAsync($"UPDATE catalog SET revision = revision + 1; UPDATE volumes SET {set}, revision = (SELECT revision FROM catalog)");

    /// <summary>In the moment when a host would write that its rename is done, another one has brought the volume into another state.</summary>
    public Task<int> OvertakeAsync(string from, string to, string instead) => ExecuteAsync($"""
        CREATE FUNCTION overtake() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            UPDATE volumes SET {instead}, revision = (SELECT revision FROM catalog) WHERE id = NEW.id;
            RETURN NULL;
        END $$;
        CREATE TRIGGER overtake BEFORE UPDATE ON volumes FOR EACH ROW WHEN (OLD.state = '{from}' AND NEW.state = '{to}') EXECUTE FUNCTION overtake()
        """);

    public Task<int> OvertakeNoMoreAsync() => ExecuteAsync("DROP TRIGGER overtake ON volumes");

    /// <summary>The link is cut, and the host has noticed: List asks the catalog, and answers in any case.</summary>
    public async Task CutAsync(int host)
    {
        _links[host].Cut();
        await _hosts[host].Engine.ListAsync();
    }

    /// <summary>The link is back, and the host has joined again.</summary>
    public async Task HealAsync(int host)
    {
        var since = await ScalarAsync<DateTime>("SELECT now()");
        _links[host].Heal();
        await SeenAsync(host, since);
    }

    /// <summary>The host has told all that it knew, later than that.</summary>
    public Task SeenAsync(int host, DateTime since) => Poll.UntilAsync(
        $"host {host} is back in the cluster", () => ScalarAsync<bool>($"SELECT last_seen_at > '{since:O}' FROM hosts WHERE name = '{_hosts[host].Settings.HostName}'"));

    /// <summary>
    /// Another host removes a volume, with the statements and the rename of a Remove. Not by its daemon: the hosts of this cluster share one kernel, where it would see
    /// the mount that a host of its own kernel could not see.
    /// </summary>
    public async Task RemoveElsewhereAsync(string volume)
    {
        Assert.Equal(2, await ExecuteAsync($"""
            UPDATE catalog SET revision = revision + 1;
            UPDATE volumes SET state = 'trashed', removed_at = now(), purge_after = now(), revision = (SELECT revision FROM catalog)
            WHERE name = '{volume}' AND state = 'ready' AND NOT EXISTS (SELECT 1 FROM mounts WHERE volume_id = volumes.id)
            """));
        var id = await ScalarAsync<Guid>($"SELECT id FROM volumes WHERE name = '{volume}' AND state = 'trashed'");
        Directory.Move(Path.Combine(_data.FullPath, volume), Path.Combine(_data.FullPath, ".trash", $"{volume}.{id:N}"));
    }

    /// <summary>Time passes for a host's lease, by the database's clock.</summary>
    public Task ExpireLeaseAsync(int host, string by = "1 hour") => ExecuteAsync($"UPDATE hosts SET lease_expires_at = now() - interval '{by}' WHERE name = '{_hosts[host].Settings.HostName}'");

    public async ValueTask DisposeAsync()
    {
        foreach (var host in _hosts) await host.DisposeAsync();
        foreach (var link in _links) await link.DisposeAsync();
        await SharedServer.ReturnDatabaseAsync(Database);
        _data.Dispose();
    }
}
