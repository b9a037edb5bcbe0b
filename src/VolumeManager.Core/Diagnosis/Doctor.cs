using System.Data.Common;
using Microsoft.Extensions.Logging;
using VolumeManager.Catalog;
using VolumeManager.Hosts;
using VolumeManager.Volumes;

namespace VolumeManager.Diagnosis;

/// <summary>
/// Compares what the catalog, the kernel, the exports and the engine say, and looks at how the host is set up. Only when somebody asks. Everything is looked at twice: what was
/// found only once was under way, and is no finding.
/// </summary>
internal sealed partial class Doctor(HostDaemon daemon, ILogger<Doctor> log)
{
    // A disk or server that hangs keeps one check, and the others tell what they have found.
    readonly TimeSpan _patience = daemon.Settings.Timings.CheckTime;

    sealed record Check(string What, Func<CancellationToken, IAsyncEnumerable<Finding>> Look);

    /// <summary>What an order to repair has come to.</summary>
    /// <param name="Left">What is still so, and what has come since.</param>
    internal sealed record Outcome(IReadOnlyList<Finding> Repaired, IReadOnlyList<Finding> Left);

    /// <summary>Looks, and changes nothing.</summary>
    internal async Task<IReadOnlyList<Finding>> DiagnoseAsync(CancellationToken cancellation)
    {
        var checks = await ListChecksAsync(cancellation);
        var first = await Task.WhenAll(checks.Select(check => RunAsync(check, cancellation)));
        var suspected = first.SelectMany(found => found).ToList();
        if (suspected.Count == 0) return [];
        await Task.Delay(daemon.Settings.Timings.Settling, cancellation);
        var again = await Task.WhenAll(checks.Where((_, i) => first[i].Count > 0).Select(check => RunAsync(check, cancellation)));
        return [.. again.SelectMany(found => found).Where(f => suspected.Exists(f.IsSame)).OrderBy(f => f.Severity).ThenBy(f => f.Code, StringComparer.Ordinal).ThenBy(f => f.Subject, StringComparer.Ordinal)];
    }

    /// <summary>Looks, repairs what is chosen and can be, and looks again.</summary>
    internal async Task<Outcome> RepairAsync(Predicate<Finding> isChosen, CancellationToken cancellation)
    {
        var found = await DiagnoseAsync(cancellation);
        var tried = found.Where(f => f.Repair is not null && isChosen(f)).ToList();
        if (tried.Count == 0) return new Outcome([], found);
        var failures = new List<(Finding Of, string Why)>();
        foreach (var finding in tried)
        {
            try
            {
                await finding.Repair!(cancellation).WaitAsync(_patience, cancellation);
            }
            catch (Exception e) when (IsExpected(e))
            {
                failures.Add((finding, e.Message));
            }
        }

        var left = (await DiagnoseAsync(cancellation)).Select(f => f with { Failure = failures.Find(failed => failed.Of.IsSame(f)).Why }).ToList();
        var repaired = tried.Where(f => !left.Exists(f.IsSame)).ToList();
        foreach (var f in repaired) LogRepaired(f.Code, f.Subject, f.Problem);
        return new Outcome(repaired, left);
    }

    async Task<List<Check>> ListChecksAsync(CancellationToken cancellation)
    {
        List<Check> checks =
        [
            new("the kernel's mounts", new MountChecks(daemon).LookAsync),
            new("the catalog's rows", new RowChecks(daemon).LookAsync),
            new("removals and restorations", new RemovalChecks(daemon).LookAsync),
            new("the engine's containers", new EngineChecks(daemon).LookAsync),
            new("the catalog's schema", new SchemaChecks(daemon).LookAsync),
            new("the cluster", new ClusterChecks(daemon).LookAsync),
            new("the host's set-up", new SetUpChecks(daemon.Settings).LookAsync),
            new("what the daemon warns of", new HostChecks(daemon).LookAsync),
        ];
        foreach (var place in await ExportPlace.ListAsync(daemon, cancellation)) checks.Add(new(place.Name, new ExportChecks(daemon, place).LookAsync));
        return checks;
    }

    async Task<List<Finding>> RunAsync(Check check, CancellationToken cancellation)
    {
        var found = new List<Finding>();
        try
        {
            using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
            patience.CancelAfter(_patience);
            await Task.Run(() => CollectAsync(check, found, patience.Token), patience.Token).WaitAsync(_patience, cancellation);
        }
        // Told once, by the check of the cluster.
        catch (CatalogAwayException) when (daemon.Catalog.StaleSince is not null)
        {
        }
#pragma warning disable CA1031 // Whatever one check meets, the others tell what they have found.
        catch (Exception e) when (!cancellation.IsCancellationRequested)
#pragma warning restore CA1031
        {
            if (!IsExpected(e)) LogCheckFailed(e, check.What);
            var why = e is TimeoutException or OperationCanceledException ? $"no answer within {_patience.TotalSeconds:0} s" : e.Message;
            lock (found) found.Add(new Finding("check-failed", Severity.Warning, check.What, $"{check.What} cannot be looked at ({why})", "see to what the reason names, then ask again"));
        }

        lock (found) return [.. found];
    }

    static async Task CollectAsync(Check check, List<Finding> found, CancellationToken cancellation)
    {
        await foreach (var finding in check.Look(cancellation))
        {
            lock (found) found.Add(finding);
        }
    }

    static bool IsExpected(Exception e) => e is VolumeException or IOException or UnauthorizedAccessException or DbException or TimeoutException or OperationCanceledException;

    [LoggerMessage(Level = LogLevel.Error, Message = "The doctor's look at {What} failed unexpectedly")]
    partial void LogCheckFailed(Exception failure, string what);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Repaired on an operator's order: {Code} of {Subject} ({Problem})")]
    partial void LogRepaired(string code, string subject, string problem);
}

/// <summary>Looks and repairs that must not meet what is under way.</summary>
internal static class Turns
{
    static readonly TimeSpan s_lookTime = TimeSpan.FromSeconds(3);
    static readonly TimeSpan s_repairTime = TimeSpan.FromSeconds(10);

    /// <summary>Looks at a volume while nothing of this host is done to it.</summary>
    /// <returns>What was found. Null when there is nothing, and when the volume is busy for long: what is under way is no finding.</returns>
    internal static async Task<Finding?> LookAsync(this VolumeLocks locks, string name, Func<Task<Finding?>> look, CancellationToken cancellation)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        patience.CancelAfter(s_lookTime);
        try
        {
            using var turn = await locks.AcquireAsync(name, patience.Token);
            return await look().WaitAsync(patience.Token);
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
        {
            return null;
        }
    }

    /// <summary>Repairs something of a volume while nothing else of this host is done to it.</summary>
    /// <exception cref="VolumeException">It is busy; nothing was done.</exception>
    internal static async Task RepairAsync(this VolumeLocks locks, string name, Func<Task> repair, CancellationToken cancellation)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        patience.CancelAfter(s_repairTime);
        VolumeLocks.Held turn;
        try
        {
            turn = await locks.AcquireAsync(name, patience.Token);
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
        {
            throw new VolumeException($"volume {name} is busy: try again");
        }

        using (turn) await repair();
    }
}
