using System.Collections.Concurrent;
using System.Text;
using Microsoft.EntityFrameworkCore;
using VolumeManager.Linux;
using Xunit.Abstractions;

namespace VolumeManager.Tests.Hosts;

/// <content>What a failed test shows of its hosts.</content>
public sealed partial class TestHost
{
    static readonly ConcurrentDictionary<TestHost, bool> s_hosts = new();
    readonly RecentLog _log = new();
    readonly ITestCollection? _collection = FailureReports.Collection;

    /// <summary>Describes the hosts of a test that exist now, and each catalog of theirs.</summary>
    internal static string DescribeAll(ITestCollection? collection)
    {
        var text = new StringBuilder();
        var hosts = s_hosts.Keys.Where(h => h._collection == collection).OrderBy(h => h.Settings.HostName, StringComparer.Ordinal).ToList();
        foreach (var host in hosts)
        {
            text.AppendLine().AppendLine($"host {host.Settings.HostName} in {host._folder}, its log:").AppendJoin(Environment.NewLine, host._log.Entries).AppendLine();
            text.AppendLine("its mounts:").AppendJoin(Environment.NewLine, MountInfo.Read().Select(m => m.ToString()).Where(m => m.Contains(host._folder.FullPath, StringComparison.Ordinal))).AppendLine();
        }

        foreach (var host in hosts.Where(h => h._database is not null || File.Exists(h.CatalogFile)).DistinctBy(h => h._database ?? h.CatalogFile)) host.DescribeCatalog(text);
        return text.ToString();
    }

    void DescribeCatalog(StringBuilder text)
    {
        text.AppendLine($"catalog of host {Settings.HostName}:");
        try
        {
            using var db = OpenCatalog();
            db.Database.SetCommandTimeout(5);
            foreach (var v in db.Volumes.AsNoTracking().OrderBy(v => v.Id))
            {
                text.AppendLine($"volume {v.Id} {v.Name} {v.State}, {v.Access}, epoch {v.Epoch}, revision {v.Revision}, at {v.Backend} {v.Server} {v.Export} {v.Directory}, removed {v.RemovedAt:O}, purge after {v.PurgeAfter:O}");
            }

            foreach (var m in db.Mounts.AsNoTracking()) text.AppendLine($"mount of {m.VolumeId} on host {m.HostId} by {m.CallerId}={m.Count}, boot {m.BootId}, engine {m.EngineGeneration}, epoch {m.Epoch}, since {m.MountedAt:O}");
            foreach (var h in db.Hosts.AsNoTracking()) text.AppendLine($"host {h.Id} {h.Name} {h.State}, boot {h.BootId}, lease until {h.LeaseExpiresAt:O}, seen {h.LastSeenAt:O}");
        }
#pragma warning disable CA1031 // The test has failed already; what the catalog says is one more hint.
        catch (Exception e)
#pragma warning restore CA1031
        {
            text.AppendLine(e.Message);
        }
    }
}
