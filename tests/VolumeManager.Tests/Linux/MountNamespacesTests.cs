using VolumeManager.Linux;
using VolumeManager.Tests.Mounts;
using Location = VolumeManager.Linux.MountNamespaces.Location;

namespace VolumeManager.Tests.Linux;

[Trait("Catalog", "none")]
public sealed class MountNamespacesTests : IDisposable
{
    readonly ScratchFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    static MountInfo At(string device, string root, string mountPoint) => new(device, root, mountPoint, "rw", null);

    [Theory]
    [InlineData("/", "8:1", "/")]
    [InlineData("/data", "8:1", "/data")]
    [InlineData("/srv", "8:2", "/sub")]
    [InlineData("/srv/v", "8:2", "/sub/v")]
    [InlineData("/srv-not", "8:1", "/srv-not")]
    [InlineData("/srv/disk/v", "8:3", "/v")]
    [InlineData("/srv/disk", "8:3", "/")]
    [InlineData("/srv/twice/v", "8:5", "/later/v")]
    public void A_directory_is_located_on_the_mount_that_shows_it(string directory, string device, string root)
    {
        MountInfo[] mounts = [At("8:1", "/", "/"), At("8:2", "/sub", "/srv"), At("8:3", "/", "/srv/disk"), At("8:4", "/earlier", "/srv/twice"), At("8:5", "/later", "/srv/twice")];
        Assert.Equal(new Location(device, root), Location.Of(directory, mounts));
    }

    [Theory]
    [InlineData("8:1", "/data/v", true)]
    [InlineData("8:1", "/data/v/below", true)]
    [InlineData("8:1", "/data/v//deleted", true)]
    [InlineData("8:1", "/data/v2", false)]
    [InlineData("8:1", "/data", false)]
    [InlineData("8:1", "/", false)]
    [InlineData("8:2", "/data/v", false)]
    public void A_location_holds_mounts_of_itself_and_of_what_is_below(string device, string root, bool holds) =>
        Assert.Equal(holds, new Location("8:1", "/data/v").Holds(At(device, root, "/anywhere")));

    [Theory]
    [InlineData("h0", "/volumes/v", true)]
    [InlineData("h0", "/volumes/v/below", true)]
    [InlineData("h0", "/volumes/v2", false)]
    [InlineData("h1", "/volumes/v", false)]
    [InlineData(null, "/volumes/v", false)]
    public void A_servers_directory_is_known_by_its_source_whatever_its_device(string? server, string root, bool holds) =>
        Assert.Equal(holds, new Location("h0", "/volumes/v").Holds(At("0:51", root, "/anywhere") with { Server = server }));

    [Fact]
    public async Task A_mount_that_is_only_at_our_own_place_is_not_held()
    {
        var (source, target) = await BoundAsync("v");
        Assert.Empty(Held(source, target));
    }

    [Fact]
    public async Task Another_namespace_that_has_it_elsewhere_holds_it_until_it_ends()
    {
        var (source, target) = await BoundAsync("v");
        var (other, otherTarget) = await BoundAsync("other");
        using (await HoldingProcess.StartAsync(target, _folder.Of("inside")))
        {
            Assert.Equal([target], Held(source, target));
            Assert.Empty(Held(other, otherTarget));
            Assert.Equal([target], Held((target, Of(source), source), (otherTarget, Of(other), other)));
        }

        Assert.Empty(Held(source, target));
    }

    [Fact]
    public async Task A_disk_is_not_held_by_being_mounted_where_it_is()
    {
        await Command.OutputOfAsync("mount", "-t", "tmpfs", "tmpfs", _folder.Make("data/disk"));
        var (source, target) = await BoundAsync("disk");
        Assert.Equal("/", Of(source).Root);
        Assert.Empty(Held(source, target));
        using var container = await HoldingProcess.StartAsync(target, _folder.Of("inside"));
        Assert.Equal([target], Held(source, target));
    }

    [Fact]
    public async Task A_copy_of_our_tree_at_another_path_holds_nothing()
    {
        var (source, target) = await BoundAsync("v");
        // So an engine sees what its managed plugin mounts.
        await Command.OutputOfAsync("mount", "--rbind", _folder.Of("mnt"), _folder.Make("propagated"));
        Assert.Empty(Held(source, target));
        using var container = await HoldingProcess.StartAsync(target, _folder.Of("inside"));
        Assert.Equal([target], Held(source, target));
    }

    [Fact]
    public async Task A_container_that_has_it_at_the_path_where_we_mount_it_holds_it()
    {
        var (source, target) = await BoundAsync("v");
        var inside = _folder.Make("container");
        await Command.OutputOfAsync("mount", "-t", "tmpfs", "tmpfs", inside);
        var hidden = $"mount --bind {target} {_folder.Make("kept")} && mount --rbind {inside} {_folder.Of("mnt")} && mkdir {target} && mount --move {_folder.Of("kept")} {target}";
        using var container = await HoldingProcess.RunAsync(hidden);
        Assert.Equal([target], Held(source, target));
    }

    [Fact]
    public async Task A_part_of_it_mounted_in_another_namespace_holds_it()
    {
        var (source, target) = await BoundAsync("v");
        // docker run --mount volume-subpath=below
        Directory.CreateDirectory(source + "/below");
        await ShellCommand.BindAsync(target + "/below", _folder.Make("below"));
        Assert.Equal([target], Held(source, target));
    }

    [Fact]
    public async Task A_container_whose_path_has_a_carriage_return_holds_it()
    {
        var (source, target) = await BoundAsync("v");
        using var container = await HoldingProcess.StartAsync(target, _folder.Of("in\rside"));
        Assert.Equal([target], Held(source, target));
    }

    [Fact]
    public async Task A_container_holds_a_directory_that_was_deleted_or_renamed_meanwhile()
    {
        var (source, target) = await BoundAsync("v");
        var before = Of(source);
        using var container = await HoldingProcess.StartAsync(target, _folder.Of("inside"));
        Directory.Move(source, source + "-renamed");
        Assert.Equal([target], Held((target, before with { Root = before.Root + "-renamed" }, source + "-renamed")));
    }

    async Task<(string Source, string Target)> BoundAsync(string name)
    {
        var (source, target) = (_folder.Make("data/" + name), _folder.Make("mnt/" + name));
        await ShellCommand.BindAsync(source, target);
        return (source, target);
    }

    static Location Of(string directory) => Location.Of(directory, MountInfo.Read());

    static HashSet<string> Held(string source, string target) => Held((target, Of(source), source));

    static HashSet<string> Held(params (string Target, Location Location, string Path)[] volumes) =>
        MountNamespaces.FindHeld(volumes);
}
