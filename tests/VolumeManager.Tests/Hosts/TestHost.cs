using Microsoft.EntityFrameworkCore;
using VolumeManager.Catalog;
using VolumeManager.Commands;
using VolumeManager.Linux;

namespace VolumeManager.Tests.Hosts;

/// <summary>A host of its own: temporary directories, a real daemon on a real socket, real mounts. Restarted and rebooted at will; cleaned away at the end.</summary>
public sealed partial class TestHost : IAsyncDisposable
{
    readonly ScratchFolder _folder = new();
    string? _database;
    string? _taken;
    CancellationTokenSource? _stop;
    Task<int>? _running;

    public TestHost()
        : this("test-host", "", null)
    {
    }

    /// <param name="database">A connection string for a host of a cluster; empty for one with a catalog of its own.</param>
    /// <param name="dataRoot">A directory that hosts share; null for one of its own.</param>
    /// <param name="direct">A connection string for the test's own questions, where the host's leads through a proxy.</param>
    internal TestHost(string name, string database, string? dataRoot, string? direct = null)
    {
        BootIdFile = _folder.Of("boot-id");
        File.WriteAllText(BootIdFile, Guid.NewGuid().ToString());
        Settings = new Settings
        {
            Socket = _folder.Of("v.sock"),
            AdminSocket = _folder.Of("admin.sock"),
            StateDirectory = _folder.Of("state"),
            MountRoot = _folder.Of("mnt"),
            DataRoot = dataRoot ?? _folder.Of("data"),
            HostName = name,
            Database = database,
            EngineGrace = TimeSpan.Zero,
            // What a volume is told to be stays the same between two questions; tests of usage say how often.
            UsageInterval = TimeSpan.Zero,
            BootIdFile = BootIdFile,
            Timings = TestTimings.Current,
        };
        _database = direct ?? (database.Length > 0 ? database : null);
        s_hosts[this] = true;
    }

    internal Settings Settings { get; set; }

    internal PluginClient Engine => new(Settings.Socket);

    string BootIdFile { get; }

    public string DataOf(string volume) => Path.Combine(Settings.DataRoot, volume);

    public string TargetOf(string volume) => Path.Combine(Settings.MountRoot, volume);

    /// <summary>Makes a volume with something in it, for <see cref="ReadAsync"/>.</summary>
    public async Task MakeAsync(string volume)
    {
        Assert.Equal("", await Engine.CreateAsync(volume));
        Assert.Equal("", await Engine.MountAsync(volume, "maker"));
        await File.WriteAllTextAsync(TargetOf(volume) + "/f", "data of " + volume);
        Assert.Equal("", await Engine.UnmountAsync(volume, "maker"));
    }

    public async Task<string> ReadAsync(string volume)
    {
        Assert.Equal("", await Engine.MountAsync(volume, "reader"));
        var text = await File.ReadAllTextAsync(TargetOf(volume) + "/f");
        Assert.Equal("", await Engine.UnmountAsync(volume, "reader"));
        return text;
    }

    /// <summary>Whether hosts that name no database get one each, so that the same tests judge both kinds of catalog (VOLMAN_TEST_SCOPE=global).</summary>
    internal static bool IsGlobal { get; } = Environment.GetEnvironmentVariable("VOLMAN_TEST_SCOPE") == "global";

    internal async Task PrepareAsync()
    {
        if (!IsGlobal || _database is not null) return;
        var server = await Clusters.SharedServer.GetAsync();
        _taken = await Clusters.SharedServer.TakeDatabaseAsync();
        _database = server.ConnectionString(_taken);
        Settings = Settings with { Database = _database, Lease = TimeSpan.FromSeconds(6) };
    }

    /// <summary>Starts the daemon and waits until it answers List, which it does when all is open.</summary>
    public async Task StartAsync()
    {
        await PrepareAsync();
        var retries = 20;
        _stop = new CancellationTokenSource();
        _running = ServeCommand.RunAsync(Settings, new LogSettings { Provider = _log }, _stop.Token);
        // A program that another test starts at this moment has our predecessor's lock until its exec.
        while (_running.Exception?.InnerException?.Message.StartsWith("another volman", StringComparison.Ordinal) == true && retries-- > 0)
        {
            await Task.Delay(20);
            _running = ServeCommand.RunAsync(Settings, new LogSettings { Provider = _log }, _stop.Token);
        }

        await Poll.UntilAsync("the daemon makes its socket", () => File.Exists(Settings.Socket) || _running.IsCompleted);
        if (_running.IsCompleted) await FailedStartAsync();

        // A daemon that cannot open ends, and before that closes the connections of those who ask it.
        var asked = Engine.CallAsync("/VolumeDriver.List", "{}");
        if (await Task.WhenAny(asked, _running) == _running || (await asked).Aborted) await FailedStartAsync();
    }

    async Task FailedStartAsync()
    {
        _stop!.Dispose();
        _stop = null;
        await _running!;
    }

    public static async Task<TestHost> StartNewAsync()
    {
        var host = new TestHost();
        await host.StartAsync();
        return host;
    }

    /// <summary>Waits for the daemon to end by itself; throws what it ended with.</summary>
    public async Task EndedAsync()
    {
        try
        {
            await _running!.WaitAsync(TimeSpan.FromMinutes(2));
        }
        finally
        {
            _stop!.Dispose();
            _stop = null;
        }
    }

    public async Task StopAsync()
    {
        if (_stop is null) return;
        await _stop.CancelAsync();
        await _running!.WaitAsync(TimeSpan.FromMinutes(2));
        _stop.Dispose();
        _stop = null;
    }

    public async Task RestartAsync()
    {
        await StopAsync();
        await StartAsync();
    }

    /// <summary>The host loses power and comes back: no mount is left, and the kernel has another boot id.</summary>
    public async Task RebootAsync()
    {
        await StopAsync();
        UnmountAll();
        await File.WriteAllTextAsync(BootIdFile, Guid.NewGuid().ToString());
        await StartAsync();
    }

    /// <summary>The volumes that the kernel has mounted under the mount root, sorted; one mounted twice is there twice.</summary>
    public IReadOnlyList<string> KernelMounts() => [.. MountInfo.Read()
        .Where(m => m.MountPoint.StartsWith(Settings.MountRoot + "/", StringComparison.Ordinal))
        .Select(m => m.MountPoint[(Settings.MountRoot.Length + 1)..])
        .Order(StringComparer.Ordinal)];

    string CatalogFile => Path.Combine(Settings.StateDirectory, "catalog.db");

    /// <summary>The catalog: this host's own file, or the shared database, past whatever lies between it and the daemon.</summary>
    internal CatalogContext OpenCatalog() => new(_database is null
        ? SqliteCatalog.Options(CatalogFile)
        : PostgresSchema.Options(_database));

    /// <summary>Keeps everybody from changing the catalog until it is disposed of.</summary>
    internal async Task<IAsyncDisposable> LockCatalogAsync()
    {
        var db = OpenCatalog();
        await db.Database.BeginTransactionAsync();
        // SQLite's transaction has the whole file already.
        if (_database is not null) await db.CatalogStates.FromSqlRaw("SELECT * FROM catalog FOR UPDATE").LoadAsync();
        return db;
    }

    /// <summary>What this host has on its own disk beside a shared catalog.</summary>
    internal CatalogContext OpenLedger() => new(SqliteCatalog.Options(Path.Combine(Settings.StateDirectory, "ledger.db")));

    /// <summary>The mount rows of a volume as <c>caller=count</c>, sorted.</summary>
    public async Task<string> MountRowsAsync(string volume)
    {
        await using var db = OpenCatalog();
        var rows = await (from m in db.Mounts join v in db.Volumes on m.VolumeId equals v.Id where v.Name == volume orderby m.CallerId select new { m.CallerId, m.Count }).ToListAsync();
        return string.Join(" ", rows.Select(r => $"{r.CallerId}={r.Count}"));
    }

    public async Task<int> CountMountRowsAsync()
    {
        await using var db = OpenCatalog();
        return await db.Mounts.CountAsync();
    }

    public async Task<IReadOnlyList<string>> EventsAsync(string volume)
    {
        await using var db = OpenCatalog();
        return await db.Events.Where(e => e.VolumeName == volume).OrderBy(e => e.Id).Select(e => e.Kind + (e.Error == null ? "" : "!")).ToListAsync();
    }

    internal void UnmountAll() => MountTable.UnmountBelow(_folder.FullPath);

    public async ValueTask DisposeAsync()
    {
        s_hosts.TryRemove(this, out _);
        await StopAsync();
        if (_taken is not null) await Clusters.SharedServer.ReturnDatabaseAsync(_taken);
        _folder.Dispose();
    }
}
