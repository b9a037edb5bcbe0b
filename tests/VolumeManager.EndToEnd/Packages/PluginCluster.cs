using VolumeManager.EndToEnd.Clusters;
using VolumeManager.EndToEnd.Engines;
using VolumeManager.EndToEnd.Machines;
using VolumeManager.TestSupport.Postgres;

namespace VolumeManager.EndToEnd.Packages;

/// <summary>Three engines on one network, a registry in the first, a PostgreSQL and a folder that all share. The third has no plugin until it is installed there.</summary>
internal sealed class PluginCluster : IAsyncDisposable
{
    const int Size = 3;

    /// <summary>Where the plugin sees the host's way to PostgreSQL, which is a socket: it has no other way out of its machine.</summary>
    const string Sockets = "postgresql";

    readonly MachineFolder _folder = new();
    readonly Network _network;
    readonly PluginHost?[] _hosts = new PluginHost?[Size];
    readonly PostgresProxy?[] _proxies = new PostgresProxy?[Size];
    PluginRegistry? _registry;

    PluginCluster(Network network, SharedCatalog catalog)
    {
        (_network, Catalog) = (network, catalog);
        Directory.CreateDirectory(Data);
    }

    public SharedCatalog Catalog { get; }
    public IReadOnlyList<PluginHost> Hosts => [.. _hosts.OfType<PluginHost>()];

    /// <summary>The volumes of all hosts.</summary>
    public string Data => _folder["volumes"];

    public static string AddressOf(int number) => $"10.77.0.{11 + number}";

    public static async Task<PluginCluster> StartAsync(EngineKind kind, PluginImage image)
    {
        var cluster = new PluginCluster(await Network.StartAsync(), await SharedCatalog.StartAsync());
        try
        {
            await Task.WhenAll(Enumerable.Range(0, Size).Select(number => cluster.StartHostAsync(kind, number)));
            var first = cluster.Hosts[0];
            cluster._registry = await first.StartRegistryAsync();
            await first.ImportAsync(image);
            await first.BuildAsync("--image", PluginImage.Name, "--name", $"{PluginRegistry.FirstAddress}/volman", "--push");
            await first.DockerAsync($"plugin rm {await first.DockerAsync("plugin ls --format {{.Name}}")}");
            await Task.WhenAll(cluster.InstallAsync(0), cluster.InstallAsync(1));
            return cluster;
        }
        catch
        {
            await cluster.DisposeAsync();
            throw;
        }
    }

    /// <summary>One command, as on any node.</summary>
    public async Task InstallAsync(int number)
    {
        var (host, proxy) = (_hosts[number]!, _proxies[number]!);
        Directory.CreateDirectory(Path.Combine(host.State, Sockets));
        await host.InsideAsync("mount", "--bind", proxy.SocketDirectory, Path.Combine(host.State, Sockets));
        var secret = Path.Combine(host.State, "database");
        await File.WriteAllTextAsync(secret, Catalog.ConnectionString(proxy).Replace(proxy.SocketDirectory, $"/var/lib/volman/{Sockets}", StringComparison.Ordinal));
        File.SetUnixFileMode(secret, UnixFileMode.UserRead);
        await host.DockerAsync($"plugin install --grant-all-permissions --alias {PluginHost.Plugin} {PluginRegistry.FirstAddress}/volman:{await TagAsync()}",
            [.. host.Settings, "VOLMAN_DATABASE_FILE=/var/lib/volman/database", "VOLMAN_LEASE=6s", "VOLMAN_TAKEOVER_GRACE=4s"]);
    }

    /// <summary>To remove the volume is asked of the second host's plugin, whose engine would refuse it first.</summary>
    public Task<string> RemoveElsewhereAsync(string volume) => _hosts[1]!.CallVolmanAsync("Remove", $$"""{"Name": "{{volume}}"}""");

    public async ValueTask DisposeAsync()
    {
        if (_registry is not null)
            await _registry.DisposeAsync();
        await Task.WhenAll(Hosts.Select(host => host.DisposeAsync().AsTask()));
        foreach (var proxy in _proxies.OfType<PostgresProxy>())
            await proxy.DisposeAsync();
        await Catalog.DisposeAsync();
        _network.Dispose();
        _folder.Dispose();
    }

    /// <summary>build.sh's own tag: version and architecture.</summary>
    static async Task<string> TagAsync()
    {
        var version = (await Command.RunAsync(Poll.Patience, Daemons.DaemonBinary.Path, "--version")).MustSucceed().Output;
        return $"{version}-{(System.Runtime.InteropServices.RuntimeInformation.OSArchitecture == System.Runtime.InteropServices.Architecture.Arm64 ? "arm64" : "amd64")}";
    }

    async Task StartHostAsync(EngineKind kind, int number)
    {
        var proxy = _proxies[number] = await PostgresProxy.StartAsync(Catalog.Server.Socket);
        _hosts[number] = await PluginHost.StartAsync(kind, $"node{number + 1}", new Cable(_network, number + 1), Data, proxy.SocketDirectory);
    }
}
