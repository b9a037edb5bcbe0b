namespace VolumeManager.Hosts;

/// <summary>What others show of a host.</summary>
/// <param name="State"><c>live</c>, <c>lost</c> or <c>evicted</c>, by the catalog's clock.</param>
internal readonly record struct HostInfo(string Name, string State);
