using VolumeManager.Linux;

namespace VolumeManager.Tests.Linux;

[Trait("Catalog", "none")]
public class MountInfoTests
{
    static List<MountInfo> Parse(params string[] lines) => MountInfo.Parse(new StringReader(string.Concat(lines.Select(line => line + "\n"))));

    [Fact]
    public void The_manuals_own_line_is_read() => Assert.Equal(
        [new MountInfo("98:0", "/mnt1", "/mnt2", "rw,noatime", null, "rw,errors=continue")],
        Parse("36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue"));

    [Theory]
    [InlineData("h0:/volumes/v", "h0", "/volumes/v")]
    [InlineData("10.0.0.1:/", "10.0.0.1", "/")]
    [InlineData("[fd77::10]:/a\\040b/v", "[fd77::10]", "/a b/v")]
    [InlineData("nonsense", null, "/")]
    [InlineData("[nonsense", null, "/")]
    public void Server_and_root_of_an_NFS_mount_stand_in_its_source(string source, string? server, string root)
    {
        foreach (var type in new[] { "nfs", "nfs4" })
        {
            var mount = Assert.Single(Parse($"37 25 0:29 / /y rw,noatime shared:1 - {type} {source} rw,vers=4.2,addr=10.0.0.1"));
            Assert.Equal((server, root), (mount.Server, mount.Root));
        }

        var other = Assert.Single(Parse($"37 25 0:29 / /y rw - ext4 {source} rw"));
        Assert.Equal((null, "/"), (other.Server, other.Root));
    }

    [Theory]
    [InlineData("", null)]
    [InlineData("shared:7 ", 7)]
    [InlineData("master:3 ", null)]
    [InlineData("shared:12 master:3 propagate_from:2 ", 12)]
    [InlineData("propagate_from:2 shared:5 ", 5)]
    [InlineData("unbindable ", null)]
    [InlineData("later_kernels:say_more shared:9 ", 9)]
    public void Optional_fields_are_as_many_as_there_are(string fields, int? peerGroup)
    {
        var mount = Assert.Single(Parse($"36 35 98:0 / /mnt rw {fields}- ext4 /dev/sda1 rw"));
        Assert.Equal(peerGroup, mount.PeerGroup);
        Assert.Equal("/mnt", mount.MountPoint);
    }

    [Theory]
    [InlineData(@"/a\040b", "/a b")]
    [InlineData(@"/a\011b\012c", "/a\tb\nc")]
    [InlineData(@"/a\134b", @"/a\b")]
    [InlineData(@"/a\134040b", @"/a\040b")]
    [InlineData(@"/a\043b", "/a#b")]
    [InlineData(@"/ends\04", @"/ends\04")]
    [InlineData(@"/not\089octal", @"/not\089octal")]
    [InlineData(@"/ends\", @"/ends\")]
    [InlineData("/ünïcode-日本", "/ünïcode-日本")]
    public void Octal_escapes_are_undone_in_both_paths(string written, string path)
    {
        var mount = Assert.Single(Parse($"36 35 0:44 {written} {written} rw - tmpfs tmpfs rw"));
        Assert.Equal((path, path), (mount.Root, mount.MountPoint));
    }

    [Fact]
    public void A_carriage_return_in_a_path_ends_no_line()
    {
        // The kernel escapes space, tab, newline and backslash, and nothing else (fs/proc_namespace.c).
        var mounts = Parse("36 35 0:44 / /a\rb rw - tmpfs tmpfs rw", "37 35 0:45 /x\r /c rw - tmpfs tmpfs rw");
        Assert.Equal(["/a\rb", "/c"], mounts.Select(m => m.MountPoint));
        Assert.Equal("/x\r", mounts[1].Root);
    }

    [Fact]
    public void A_hyphen_within_a_path_ends_no_fields()
    {
        var mount = Assert.Single(Parse("36 35 0:44 /- /a-b rw shared:4 - tmpfs - rw"));
        Assert.Equal(("/-", "/a-b", 4), (mount.Root, mount.MountPoint, mount.PeerGroup));
    }

    [Fact]
    public void A_deleted_directory_keeps_the_kernels_mark() =>
        Assert.Equal("/v//deleted", Assert.Single(Parse("36 35 0:44 /v//deleted /mnt rw - tmpfs tmpfs rw")).Root);

    [Fact]
    public void Lines_of_another_form_are_passed_over()
    {
        Assert.Empty(Parse("", " ", "36", "36 35 98:0 / /mnt rw - ext4", "no line of any kernel"));
        Assert.Equal(["/kept"], Parse("", "36 35 98:0", "36 35 98:0 / /kept rw - ext4 /dev/sda1 rw").Select(m => m.MountPoint));
    }

    [Fact]
    public void The_kernels_own_file_is_read()
    {
        Assert.NotEmpty(MountInfo.Read());
        var text = File.ReadAllText("/proc/self/mountinfo");
        var mounts = MountInfo.Parse(new StringReader(text));
        Assert.Contains(mounts, m => m.MountPoint == "/");
        Assert.Contains(mounts, m => m.MountPoint == "/proc");
        Assert.All(mounts, m => Assert.Matches("^[0-9]+:[0-9]+$", m.Device));
        Assert.Equal(text.Count(c => c == '\n'), mounts.Count);
    }
}
