namespace VolumeManager.Diagnosis;

/// <summary>The indexes that the catalog has by its model, for EF Core's model costs too much memory to be asked in a daemon. A test compares them with it.</summary>
internal static class CatalogIndexes
{
    /// <param name="On">Table, columns and condition, as both databases write them.</param>
    internal sealed record Index(string Name, string On, bool IsUnique = false)
    {
        internal string Create(string manner) => $"CREATE {(IsUnique ? "UNIQUE " : "")}INDEX {manner}\"{Name}\" ON {On}";
    }

    internal static readonly Index[] All =
    [
    ];
}
