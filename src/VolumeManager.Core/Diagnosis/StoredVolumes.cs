using System.Runtime.CompilerServices;
using VolumeManager.Hosts;
using VolumeManager.Volumes;

namespace VolumeManager.Diagnosis;

/// <summary>Volumes as the catalog's rows tell, the removed ones too, without what belongs to them.</summary>
internal static class StoredVolumes
{
    static readonly string s_columns = string.Join(", ", VolumeRows.Columns);

    /// <param name="condition">The text of a WHERE.</param>
    internal static async Task<List<Volume>> ReadAsync(HostDaemon daemon, FormattableString condition, CancellationToken cancellation)
    {
        var volumes = new List<Volume>();
        await daemon.Catalog.ReadAsync(FormattableStringFactory.Create($"SELECT {s_columns} FROM volumes WHERE {condition.Format}", condition.GetArguments()), row => volumes.Add(StoredRow.Checked(VolumeRows.Read(row))), cancellation);
        return volumes;
    }
}
