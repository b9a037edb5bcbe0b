using VolumeManager.EndToEnd.Engines;

namespace VolumeManager.EndToEnd.Clusters;

/// <summary>One cluster a kind of engine for all tests that share a catalog. Started when the first test asks for it.</summary>
public sealed class SharedClusters : IAsyncLifetime
{
    public const string Collection = "shared clusters";

    readonly Dictionary<EngineKind, Cluster> _clusters = [];

    public Task InitializeAsync() => Task.CompletedTask;

    public async Task DisposeAsync()
    {
        foreach (var cluster in _clusters.Values)
            await cluster.DisposeAsync();
    }

    internal async Task<ClusterScene> SceneAsync(EngineKind kind, ITestOutputHelper output)
    {
        if (!_clusters.TryGetValue(kind, out var cluster))
            _clusters[kind] = cluster = await Cluster.StartAsync(kind, Shares.CatalogAndData);
        return new ClusterScene(cluster, output, spoiled: async () =>
        {
            _clusters.Remove(kind);
            await cluster.DisposeAsync();
        });
    }
}

[CollectionDefinition(SharedClusters.Collection)]
public sealed class SharedClustersDefinition : ICollectionFixture<SharedClusters>;
