using Microsoft.Extensions.Logging;
using VolumeManager.Catalog;
using VolumeManager.Copies;
using VolumeManager.Diagnosis;
using VolumeManager.Exports;
using VolumeManager.Linux;
using VolumeManager.Mounts;
using VolumeManager.Reports;
using VolumeManager.Usage;
using VolumeManager.Volumes;

namespace VolumeManager.Hosts;

/// <summary>One host's running volume manager, everything wired: what the socket's requests are handed to once it is open.</summary>
internal sealed partial class HostDaemon : IAsyncDisposable
{
    readonly CancellationTokenSource _stopping = new();
    readonly SemaphoreSlim _reconcile = new(0);
    readonly SemaphoreSlim _clean = new(0);
    readonly VolumeLocks _locks = new();
    readonly Reconciler _reconciler;
    ExportPublisher? _publisher;
    readonly Janitor _janitor;
    readonly UsageSampler _sampler;
    readonly Settings _settings;
    readonly ILogger _log;
    Task _background = Task.CompletedTask;

    HostDaemon(Settings settings, ThisHost host, VolumeCatalog catalog, ExportTable exports, ILoggerFactory logs)
    {
        _settings = settings;
        _log = logs.CreateLogger<HostDaemon>();
        Host = host;
        Catalog = catalog;
        Exports = exports;
        History = new History(catalog, host.Name);
        Mounts = new MountService(host, catalog, History, _locks, Exports, logs.CreateLogger<MountService>());
        Trash = new Trash(catalog, History, _locks, Exports, logs.CreateLogger<Trash>()) { PurgeDue = () => Wake(_clean) };
        Volumes = new VolumeService(host, settings, catalog, History, _locks, Exports, Mounts, Trash, logs.CreateLogger<VolumeService>());
        Options = new OptionService(settings, catalog, History, host.Name, _locks, Exports, logs.CreateLogger<OptionService>());
        Copies = new CopyService(settings, catalog, History, host.Name, _locks, Exports, Volumes, Trash, logs.CreateLogger<CopyService>());
        Adoption = new Adoption(settings, catalog, Exports, Volumes);
        Reporter = new Reporter(catalog.OpenForReportsAsync);
        _reconciler = new Reconciler(host, settings, catalog, History, _locks, Mounts, Volumes, Exports, logs.CreateLogger<Reconciler>());
        _janitor = new Janitor(settings, catalog, History, Exports, logs.CreateLogger<Janitor>());
        _sampler = new UsageSampler(host, settings, catalog, Exports, logs.CreateLogger<UsageSampler>());
        Doctor = new Doctor(this, logs.CreateLogger<Doctor>());
    }

    internal ThisHost Host { get; }
    internal VolumeCatalog Catalog { get; }
    internal ExportTable Exports { get; }
    internal History History { get; }
    internal MountService Mounts { get; }
    internal VolumeService Volumes { get; }
    internal Trash Trash { get; }
    internal OptionService Options { get; }
    internal Adoption Adoption { get; }
    internal CopyService Copies { get; }
    internal Reporter Reporter { get; }
    internal Doctor Doctor { get; }
    internal long StartedAt { get; } = Environment.TickCount64;
    internal Settings Settings => _settings;
    internal VolumeLocks Locks => _locks;
    internal Reconciler Reconciler => _reconciler;

    /// <summary>Why this host does not serve its export as it should; empty when it does, or serves none.</summary>
    internal string ServingTrouble => _publisher?.Trouble ?? "";

    /// <summary>Opens the catalog, makes it agree with the kernel, and starts the work of the background.</summary>
    /// <exception cref="VolumeException">A directory cannot be used.</exception>
    /// <exception cref="CatalogSchemaException">The catalog's schema does not fit this program.</exception>
    internal static async Task<HostDaemon> OpenAsync(Settings settings, StateDirectory state, EngineGeneration engine, ILoggerFactory logs, CancellationToken cancellation)
    {
        // The mount root's own path has no symbolic links: mountinfo knows none.
        var host = new ThisHost(state.HostId, settings.HostName, ThisHost.ReadBootId(settings.BootIdFile), OpenRoot("mount-root", settings.MountRoot, DirectoryRoot.Passable).Path, engine);
        engine.Recall(EngineProcess.Read(settings.EngineFile, host.BootId));
        var exports = new ExportTable(
            settings, OpenRoot("data-root", settings.DataRoot), settings.ExportDirectory.Length > 0 ? OpenRoot("export-directory", settings.ExportDirectory, ExportMode(settings)) : null);
        VolumeCatalog catalog = settings.Database.Length > 0
            ? await ClusterCatalog.OpenAsync(settings, state, host, logs)
            : await LocalCatalog.OpenAsync(state.CatalogFile, settings.Migrate ?? true, host, settings.Timings, logs.CreateLogger<LocalCatalog>());
        var written = engine.Current;
        var daemon = new HostDaemon(settings, host, catalog, exports, logs);
        try
        {
            engine.Raised = daemon.RecordEngineStart;
            engine.Found = () => Wake(daemon._reconcile);
            // An engine that came while we were opening.
            if (engine.Current != written) daemon.RecordEngineStart();
            if (!exports.Local.IsThere && !(catalog is LocalCatalog local ? await local.HasDataAsync() : catalog.Index.All.Any(v => v.Backend == "local"))) exports.Local.BeginAnew();
            foreach (var warning in daemon.Warnings()) daemon.LogWarning(warning);
            await daemon._reconciler.DropStaleAsync(cancellation);
            // What is mounted here is known now without asking anybody; only then is the cluster told.
            if (catalog is ClusterCatalog cluster) await cluster.JoinAsync(() => Wake(daemon._reconcile), cancellation);
        }
        catch
        {
            await daemon.DisposeAsync();
            throw;
        }

        // Apart, for neither a purge nor a count of millions of files must keep the others waiting.
        daemon._background = Task.WhenAll(
            daemon.RunPeriodicallyAsync(daemon._reconciler.ReconcileAsync, settings.ReconcileInterval, daemon._reconcile),
            daemon.RunPeriodicallyAsync(daemon.CleanAsync, settings.ReconcileInterval, daemon._clean),
            settings.UsageInterval > TimeSpan.Zero ? daemon.RunPeriodicallyAsync(daemon._sampler.SampleAsync, TimeSpan.FromTicks(Math.Min(settings.UsageInterval.Ticks, settings.ReconcileInterval.Ticks))) : Task.CompletedTask,
            catalog is ClusterCatalog shared ? daemon.ServeAsync(shared, logs) : Task.CompletedTask);
        return daemon;
    }

    /// <summary>What an operator should see to, each in a sentence.</summary>
    internal IEnumerable<string> Warnings() => Troubles().Select(t => t.Problem);

    /// <summary>The same, each with the code by which the doctor tells it.</summary>
    internal IEnumerable<(string Code, string Problem)> Troubles()
    {
        if (!Exports.Local.IsThere)
        {
            yield return ("data-root-away", $"the data root {_settings.DataRoot} is not the directory that it was: mount its disk; until then its volumes cannot be made, mounted or removed. "
                + $"If it is right as it is, remove {_settings.StateDirectory}/data-root and start volman again");
        }

        foreach (var path in OpenRoots())
        {
            yield return ("root-open", $"other users of this host may enter {path}, in which containers can make set-uid programs, and read what is in volumes: chmod 0700 {path}, or name a directory of its own");
        }

        if (!MountPropagation.ReachesInit(Host.MountRoot))
        {
            yield return ("mounts-unseen", $"what is mounted under {Host.MountRoot} is not seen by process 1: unless the engine shares this mount namespace, containers would get empty directories; "
                + "run volman without PrivateTmp, ProtectSystem or other private mounts");
        }

        if (!MountNamespaces.AreSeen) yield return ("containers-unseen", MountNamespaces.Unseen);
    }

    IEnumerable<string> OpenRoots()
    {
        if (Exports.Local is { IsThere: true, IsOpen: true }) yield return _settings.DataRoot;
        if (Exports.Hosted is { IsThere: true, IsOpen: true } && ExportMode(_settings) == DirectoryRoot.OwnerOnly) yield return _settings.ExportDirectory;
    }

    /// <summary>Where other hosts' root is squashed it is one of those others who have to enter.</summary>
    static UnixFileMode ExportMode(Settings settings) => settings.ExportSquash == "no_root_squash" ? DirectoryRoot.OwnerOnly : DirectoryRoot.Passable;

    static DirectoryRoot OpenRoot(string setting, string path, UnixFileMode mode = DirectoryRoot.OwnerOnly)
    {
        try
        {
            return new DirectoryRoot(path, mode);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new VolumeException($"the directory {path} cannot be used ({e.Message}): mend it, or name another with --{setting}", e);
        }
    }

    void RecordEngineStart()
    {
        var generation = Host.Engine.Current;
        Catalog.RaiseGeneration(generation, new Event { At = Catalog.Now, Host = Host.Name, Kind = EventKind.EngineStart, Detail = $"generation {generation}" });
        _ = WakeAfterGraceAsync();
    }

    async Task WakeAfterGraceAsync()
    {
        await Task.Delay(_settings.EngineGrace + TimeSpan.FromMilliseconds(100), _stopping.Token);
        Wake(_reconcile);
    }

    static void Wake(SemaphoreSlim loop)
    {
        if (loop.CurrentCount == 0) loop.Release();
    }

    async Task CleanAsync(CancellationToken cancellation)
    {
        await _janitor.CleanAsync(cancellation);
        TrimMemory();
    }

    /// <summary>Serves this host's directory to the others, or takes back what an earlier daemon served.</summary>
    Task ServeAsync(ClusterCatalog catalog, ILoggerFactory logs)
    {
        if (Exports.Hosted is not { } hosted) return RunPeriodicallyAsync(_ => ExportPublisher.WithdrawLeftAsync(_settings, Host.Id, catalog), _settings.ReconcileInterval);
        var publisher = _publisher = new ExportPublisher(_settings, Host.Id, catalog, hosted, logs.CreateLogger<ExportPublisher>());
        return Task.WhenAll(RunPeriodicallyAsync(publisher.PassAsync, _settings.Timings.ExportPass), RunPeriodicallyAsync(publisher.LimitAsync, _settings.Timings.ExportPass));
    }

    /// <summary>Runs a pass at once, on the period, and when woken.</summary>
    async Task RunPeriodicallyAsync(Func<CancellationToken, Task> pass, TimeSpan period, SemaphoreSlim? wake = null)
    {
        await Task.Yield();
        while (!_stopping.IsCancellationRequested)
        {
            try
            {
                await pass(_stopping.Token);
                await (wake?.WaitAsync(period, _stopping.Token) ?? Task.Delay(period, _stopping.Token));
            }
            catch (OperationCanceledException) when (_stopping.IsCancellationRequested)
            {
                return;
            }
            catch (VolumeException e)
            {
                LogPassPutOff(e.Message);
                await Task.Delay(_settings.Timings.PassRetry, CancellationToken.None);
            }
#pragma warning disable CA1031 // The period must go on, whatever one pass met.
            catch (Exception e)
#pragma warning restore CA1031
            {
                LogPassFailed(e);
                await Task.Delay(_settings.Timings.PassRetry, CancellationToken.None);
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
        try
        {
            await Task.WhenAll(_background, _locks.DrainAsync()).WaitAsync(_settings.Timings.StopWait);
        }
        catch (TimeoutException)
        {
            LogStillBusy();
        }

        await Catalog.DisposeAsync();
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "A pass in the background is put off: {Reason}")]
    partial void LogPassPutOff(string reason);

    [LoggerMessage(Level = LogLevel.Error, Message = "A pass in the background failed; the next one comes")]
    partial void LogPassFailed(Exception failure);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Stopping while a request is still at work; the next start finishes or undoes it")]
    partial void LogStillBusy();

    [LoggerMessage(Level = LogLevel.Warning, Message = "{Warning}")]
    partial void LogWarning(string warning);
}
