using System.Net.Sockets;
using VolumeManager.EndToEnd.Engines;

namespace VolumeManager.EndToEnd.Packages;

/// <summary>The managed plugin as its users have it: enabled, set, used by containers, removed.</summary>
[Collection(PluginHosts.Collection)]
public sealed class PluginUse(PluginHosts hosts, ITestOutputHelper output)
{
    [Theory, InstalledPluginEngine, PluginEngine28]
    public async Task It_listens_when_enable_returns(EngineKind engine)
    {
        await using var scene = await hosts.SceneAsync(engine, output);
        // By force: an engine may still count volumes that an earlier test removed.
        await scene.DockerAsync($"plugin disable --force {PluginHost.Plugin}");
        var socket = await scene.Host.SocketAsync();
        Assert.False(Listens(socket));
        await scene.TimeAsync("enable", () => scene.DockerAsync($"plugin enable {PluginHost.Plugin}"));
        Assert.True(Listens(socket));
        await scene.EndsCleanAsync();
    }

    [Theory, InstalledPluginEngine, PluginEngine28]
    public async Task Containers_share_a_volume_and_copies_go_in_and_out(EngineKind engine)
    {
        await using var scene = await hosts.SceneAsync(engine, output);
        var volume = await scene.CreateVolumeAsync();
        await scene.StartContainerAsync("writes", $"--volume {volume}:/x", "echo written > /x/f; sleep 100000");
        Assert.Equal("written", await scene.RunAsync($"--volume {volume}:/x", "cat /x/f"));
        Assert.Equal("written\n", await File.ReadAllTextAsync(Path.Combine(scene.DataOf(volume), "f")));
        Assert.Equal("e2e-host", await scene.DockerAsync("volume inspect --format", "{{(index .Status.Holders 0).Host}}", volume));

        var copy = Path.Combine(scene.Host.Folder.Copies, "f");
        await scene.DockerAsync($"cp writes:/x/f {copy}");
        await File.AppendAllTextAsync(copy, "and copied\n");
        await scene.DockerAsync($"cp {copy} writes:/x/g");
        Assert.Equal("written\nand copied", await scene.DockerAsync("exec writes cat /x/g"));
        await scene.IsMountedAsync(volume, count: 1);

        await scene.DockerAsync("stop writes");
        await scene.IsMountedAsync(volume, count: 0);
        await scene.EndsCleanAsync();
    }

    /// <summary>Its claim is gone, its engine is not asked: what a container of another user holds is seen without more rights than the plugin has.</summary>
    [Theory, InstalledPluginEngine, PluginEngine28]
    public async Task What_a_container_holds_is_not_removed_whatever_the_engine_says(EngineKind engine)
    {
        await using var scene = await hosts.SceneAsync(engine, output);
        var volume = await scene.CreateVolumeAsync();
        await scene.StartContainerAsync("holds", $"--user 1234 --volume {volume}:/x");
        await scene.Host.CallVolmanAsync("Unmount", $$"""{"Name": "{{volume}}", "ID": "{{await CallerAsync(scene, volume)}}"}""");
        await scene.IsMountedAsync(volume, count: 0);

        var remove = $$"""{"Name": "{{volume}}"}""";
        Assert.Contains("a container or another mount still has", await scene.Host.CallVolmanAsync("Remove", remove), StringComparison.Ordinal);

        await scene.DockerAsync("exec --user 0 holds touch /x/f");
        await scene.DockerAsync("rm --force holds");
        Assert.Equal("""{"Err":""}""", await scene.Host.CallVolmanAsync("Remove", remove));
        await scene.EndsCleanAsync();
    }

    [Theory, InstalledPluginEngine, PluginEngine28]
    public async Task Settings_are_refused_while_it_is_enabled_and_a_wrong_one_keeps_it_down_and_is_named(EngineKind engine)
    {
        await using var scene = await hosts.SceneAsync(engine, output);
        Assert.Contains("disable plugin before setting", await scene.RefusedAsync($"plugin set {PluginHost.Plugin} VOLMAN_LOG_LEVEL=debug"), StringComparison.Ordinal);
        await scene.DockerAsync($"plugin disable {PluginHost.Plugin}");
        Assert.Contains("not found", await scene.RefusedAsync($"plugin set {PluginHost.Plugin} VOLMAN_COLOUR=blue"), StringComparison.Ordinal);
        Assert.Contains("not settable", await scene.RefusedAsync($"plugin set {PluginHost.Plugin} VOLMAN_MOUNT_ROOT=/other"), StringComparison.Ordinal);

        await scene.DockerAsync($"plugin set {PluginHost.Plugin} VOLMAN_BACKEND=tape");
        await scene.TimeAsync("Refused enable", () => scene.RefusedAsync($"plugin enable {PluginHost.Plugin}"));
        Assert.Contains(scene.Engine.Log, line => line.Contains("VOLMAN_BACKEND", StringComparison.Ordinal) && line.Contains("use local or nfs", StringComparison.Ordinal));
        Assert.False(await scene.Host.IsEnabledAsync());
        Assert.Null(scene.Host.Volman);

        await scene.DockerAsync($"plugin set {PluginHost.Plugin} VOLMAN_BACKEND=local");
        await scene.DockerAsync($"plugin enable {PluginHost.Plugin}");
        await scene.CreateVolumeAsync();
        await scene.EndsCleanAsync();
    }

    [Theory, InstalledPluginEngine, PluginEngine28]
    public async Task Removed_it_leaves_its_data_and_no_mount(EngineKind engine)
    {
        await using var scene = await hosts.SceneAsync(engine, output);
        var volume = await scene.CreateVolumeAsync();
        await scene.RunAsync($"--volume {volume}:/x", "echo kept > /x/f");

        Assert.Contains("in use", await scene.RefusedAsync($"plugin disable {PluginHost.Plugin}"), StringComparison.Ordinal);
        Assert.NotEqual("", await scene.RefusedAsync($"plugin rm {PluginHost.Plugin}"));
        await scene.DockerAsync($"plugin rm --force {PluginHost.Plugin}");
        Assert.Empty(scene.Host.PluginMounts);
        Assert.Equal("", await scene.DockerAsync("plugin ls --quiet"));
        Assert.Equal("kept\n", await File.ReadAllTextAsync(Path.Combine(scene.DataOf(volume), "f")));

        // Another plugin with the same state: all is there.
        await scene.BeginAsync();
        Assert.Equal("kept", await scene.RunAsync($"--volume {volume}:/x", "cat /x/f"));
        // The engine counts a plugin's volumes, for `disable`, and counts those that it knew before it had this one only from its next start on.
        await scene.Engine.StopAsync();
        await scene.Engine.StartAsync();
        await scene.EndsCleanAsync();
    }

    static async Task<string> CallerAsync(PluginScene scene, string volume) => (await Command.RunAsync(Poll.Patience, "sqlite3", "-cmd", ".timeout 5000",
        Path.Combine(scene.Host.State, "catalog.db"), $"SELECT caller_id FROM mounts JOIN volumes ON id = volume_id WHERE name = '{volume}'")).MustSucceed().Output;

    static bool Listens(string socket)
    {
        using var probe = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            probe.Connect(new UnixDomainSocketEndPoint(socket));
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }
}
