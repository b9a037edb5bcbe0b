namespace VolumeManager.EndToEnd;

/// <summary>
/// Starts the collections that take longest first, so that none of them is still running alone when all others are done. A collection that is not
/// listed takes less than those that are. Only the length of a run depends on this order.
/// </summary>
public sealed class LongestFirst : ITestCollectionOrderer
{
    public const string Name = "VolumeManager.EndToEnd.LongestFirst";
    public const string Assembly = "VolumeManager.EndToEnd";

    static readonly string[] s_longest =
    [
        Lab.Laboratory.Collection, Clusters.SharedClusters.Collection, Packages.PluginHosts.Collection, Packages.DebianPackages.Collection, Packages.ImageBuilds.Collection,
        Packages.ReleaseBefore.Collection, nameof(Simulation.ClusterSimulation), Hosts.SharedHosts.Collection,
    ];

    public IEnumerable<ITestCollection> OrderTestCollections(IEnumerable<ITestCollection> testCollections) => testCollections.OrderBy(Rank);

    /// <summary>A collection that no class names is called "Test collection for" its only class.</summary>
    static int Rank(ITestCollection collection) =>
        Array.FindIndex(s_longest, name => collection.DisplayName.EndsWith(name, StringComparison.Ordinal)) is var rank && rank >= 0 ? rank : s_longest.Length;
}
