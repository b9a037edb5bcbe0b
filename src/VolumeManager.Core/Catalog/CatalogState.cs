namespace VolumeManager.Catalog;

/// <summary>The one row of the table <c>catalog</c>. Every change of volumes or mounts raises its revision first, and so holds its lock until it commits: changes of a
/// whole cluster happen one after the other, each sees all before it, and a higher revision is a later state (docs/decisions/0009).</summary>
internal sealed class CatalogState
{
    /// <summary>Always 1.</summary>
    public int Id { get; init; }

    public long Revision { get; init; }

    /// <summary>The host that deletes trashed data and old history for all, until then by the database's clock.</summary>
    public Guid? JanitorHostId { get; init; }

    public DateTime? JanitorUntil { get; init; }

    /// <summary>The host that measures the volumes' usage for all, until then by the database's clock.</summary>
    public Guid? SamplerHostId { get; init; }

    public DateTime? SamplerUntil { get; init; }
}
