using Microsoft.Extensions.Logging;
using VolumeManager.Catalog;
using VolumeManager.Exports;
using VolumeManager.Linux;
using VolumeManager.Mounts;
using VolumeManager.Volumes;

namespace VolumeManager.Hosts;

/// <summary>One host's running volume manager, everything wired: what the socket's requests are handed to once it is open.</summary>
internal sealed partial class HostDaemon : IAsyncDisposable
{
    readonly CancellationTokenSource _stopping = new();
    readonly SemaphoreSlim _wake = new(0);
    readonly CatalogWriter _catalog;
    readonly VolumeLocks _locks = new();
    readonly Reconciler _reconciler;
    readonly Janitor _janitor;
    readonly Settings _settings;
    readonly ILogger _log;
    Task _background = Task.CompletedTask;

    HostDaemon(Settings settings, ThisHost host, string catalogFile, VolumeIndex index, ILoggerFactory logs)
    {
        _settings = settings;
        _log = logs.CreateLogger<HostDaemon>();
        Host = host;
        Index = index;
        _catalog = new CatalogWriter(() => SqliteCatalog.Open(catalogFile), logs.CreateLogger<CatalogWriter>());
        Backend = new LocalBackend(settings.DataRoot);
        History = new History(_catalog, host.Name);
        Mounts = new MountService(host, _catalog, History, index, _locks, Backend, logs.CreateLogger<MountService>());
        Volumes = new VolumeService(host, settings, _catalog, History, index, _locks, Backend, Mounts, logs.CreateLogger<VolumeService>()) { PurgeDue = Wake };
        _reconciler = new Reconciler(host, settings, _catalog, History, index, _locks, Mounts, Volumes, Backend, logs.CreateLogger<Reconciler>());
        _janitor = new Janitor(settings, _catalog, History, Backend, logs.CreateLogger<Janitor>());
    }

    internal ThisHost Host { get; }
    internal VolumeIndex Index { get; }
    internal LocalBackend Backend { get; }
    internal History History { get; }
    internal MountService Mounts { get; }
    internal VolumeService Volumes { get; }

    /// <summary>Opens the catalog, makes it agree with the kernel, and starts the work of the background.</summary>
    /// <exception cref="VolumeException">A directory cannot be used.</exception>
    /// <exception cref="CatalogSchemaException">The catalog's schema does not fit this program.</exception>
    internal static async Task<HostDaemon> OpenAsync(Settings settings, StateDirectory state, EngineGeneration engine, ILoggerFactory logs, CancellationToken cancellation)
    {
        // SQLite gives its journal the mode of the database.
        new FileStream(state.CatalogFile, new FileStreamOptions
        {
            Mode = FileMode.OpenOrCreate,
            Access = FileAccess.ReadWrite,
            UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
        }).Dispose();
        using var db = SqliteCatalog.Open(state.CatalogFile);
        await SqliteCatalog.MigrateAsync(db, state.CatalogFile, settings.Migrate);
        // The mount root's own path has no symbolic links: mountinfo knows none.
        var host = new ThisHost(state.HostId, settings.HostName, ThisHost.ReadBootId(settings.BootIdFile), new DirectoryRoot(settings.MountRoot).Path, engine);
        await HostRows.RegisterAsync(db, host);
        var daemon = new HostDaemon(settings, host, state.CatalogFile, await VolumeIndex.LoadAsync(db), logs);
        engine.Raised = daemon.RecordEngineStart;
        if (!MountPropagation.ReachesInit(host.MountRoot)) daemon.LogNotPropagated(host.MountRoot);
        await daemon._reconciler.DropStaleAsync(cancellation);
        daemon._background = daemon.RunBackgroundAsync();
        return daemon;
    }

    void RecordEngineStart()
    {
        var generation = Host.Engine.Current;
        var entry = new Event { At = DateTime.UtcNow, Host = Host.Name, Kind = EventKind.EngineStart, Detail = $"generation {generation}" };
        _ = _catalog.WriteAsync(
            async db => await HostRows.SetGenerationAsync(db, Host, generation) + await History.AppendAsync(db, entry), CancellationToken.None);
        _ = WakeAfterGraceAsync();
    }

    async Task WakeAfterGraceAsync()
    {
        await Task.Delay(_settings.EngineGrace + TimeSpan.FromMilliseconds(100), _stopping.Token);
        Wake();
    }

    void Wake() => _wake.Release();

    async Task RunBackgroundAsync()
    {
        await Task.Yield();
        while (!_stopping.IsCancellationRequested)
        {
            try
            {
                await _reconciler.ReconcileAsync(_stopping.Token);
                await _janitor.CleanAsync(_stopping.Token);
                TrimMemory();
                await _wake.WaitAsync(_settings.ReconcileInterval, _stopping.Token);
            }
            catch (OperationCanceledException)
            {
                return;
            }
#pragma warning disable CA1031 // The period must go on, whatever one pass met.
            catch (Exception e)
#pragma warning restore CA1031
            {
                LogPassFailed(e);
                await Task.Delay(TimeSpan.FromSeconds(1), CancellationToken.None);
            }
        }
    }

    /// <summary>Gives back what a start or a burst of requests left behind. The collector alone would keep it until the machine is short of memory.</summary>
    static void TrimMemory()
    {
        const long worthIt = 16 << 20;
        var memory = GC.GetGCMemoryInfo();
        if (memory.TotalCommittedBytes - memory.HeapSizeBytes < worthIt && GC.GetTotalMemory(forceFullCollection: false) - memory.HeapSizeBytes < worthIt) return;
        GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);
    }

    /// <summary>Ends the background work, waits for requests that undo themselves, and writes what is queued.</summary>
    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        await _background;
        try
        {
            await _locks.DrainAsync().WaitAsync(TimeSpan.FromSeconds(5));
        }
        catch (TimeoutException)
        {
            LogStillBusy();
        }

        _catalog.Dispose();
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "A pass of the reconciler failed; the next one comes")]
    partial void LogPassFailed(Exception failure);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Stopping while a request is still at work; the next start finishes or undoes it")]
    partial void LogStillBusy();

    [LoggerMessage(Level = LogLevel.Warning, Message = "What is mounted under {MountRoot} is not seen by process 1: unless the engine shares this mount namespace, containers would get empty directories; "
        + "run volman without PrivateTmp, ProtectSystem or other private mounts")]
    partial void LogNotPropagated(string mountRoot);
}
