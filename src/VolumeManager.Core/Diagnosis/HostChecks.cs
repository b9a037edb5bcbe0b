using System.Runtime.CompilerServices;
using VolumeManager.Exports;
using VolumeManager.Hosts;

namespace VolumeManager.Diagnosis;

/// <summary>What the daemon itself warns of, and the export that this host serves to the others.</summary>
internal sealed class HostChecks(HostDaemon daemon)
{
    internal async IAsyncEnumerable<Finding> LookAsync([EnumeratorCancellation] CancellationToken cancellation)
    {
        await Task.Yield();
        foreach (var (code, problem) in daemon.Troubles())
        {
            var (what, cure) = problem.IndexOf(": ", StringComparison.Ordinal) is var colon and > 0 ? (problem[..colon], problem[(colon + 2)..]) : (problem, "see docs/doctor.md");
            yield return new Finding(code, code == "data-root-away" ? Severity.Error : Severity.Warning, $"host {daemon.Host.Name}", what, cure);
        }

        cancellation.ThrowIfCancellationRequested();
        if (daemon.Exports.Hosted is null || daemon.Catalog.StaleSince is not null) yield break;
        var source = NfsAddress.Source(daemon.Settings.NfsServer, daemon.Settings.NfsExport);
        if (daemon.ServingTrouble is { Length: > 0 } trouble)
        {
            yield return new Finding("export-unserved", Severity.Error, source, $"this host does not serve {source} to the others as it should ({trouble})", "see to what the reason names: it is tried again each second");
        }
    }
}
