using VolumeManager.Copies;
using VolumeManager.Linux;

namespace VolumeManager.Tests.Copies;

/// <summary>What the comparison of a copy must find. A comparison that finds nothing would let a move delete the only good data.</summary>
[Trait("Catalog", "none")]
public sealed class TreeComparisonTests : IDisposable
{
    readonly ScratchFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    async Task<string?> CompareAsync(string change)
    {
        await Command.OutputOfAsync("sh", "-ec", $$"""
            cd '{{_folder.FullPath}}'; mkdir a; cd a
            mkdir -p d/e; echo one > d/f; ln d/f d/g; ln -s f d/l; mkfifo p; mknod n c 1 3; : > empty; head -c 2500000 /dev/zero > big; echo t > tagged
            cp -a . ../b; cd ../b
            {{change}}
            """);
        using var source = LibC.Open(null, _folder.Of("a"), LibC.O_RDONLY | LibC.O_DIRECTORY);
        using var copy = LibC.Open(null, _folder.Of("b"), LibC.O_RDONLY | LibC.O_DIRECTORY);
        return new TreeComparison(() => { }, CancellationToken.None).Compare(source, copy);
    }

    [Fact]
    public async Task A_true_copy_is_the_same() => Assert.Null(await CompareAsync("true"));

    [Theory]
    [InlineData("touch -r d/f m; echo two > d/f; touch -r m d/f; rm m; touch -r ../a .", "\"d/f\" has another content in the copy")]
    [InlineData("touch -r big m; printf x | dd of=big bs=1 seek=2400000 conv=notrunc 2>/dev/null; touch -r m big; rm m; touch -r ../a .", "\"big\" has another content in the copy")]
    [InlineData("echo more >> d/f; touch -r ../a/d/f d/f", "\"d/f\" has size 9 in the copy, 4 in the source")]
    [InlineData("chmod 600 d/f", "\"d/f\" has kind and mode 100600 in the copy, 100644 in the source")]
    [InlineData("chown 1:2 d/e", "\"d/e\" has owner 1:2 in the copy, 0:0 in the source")]
    [InlineData("chmod 700 .", "the directory has kind and mode 40700 in the copy, 40755 in the source")]
    [InlineData("rm empty; touch -r ../a .", "\"empty\" is missing in the copy")]
    [InlineData("echo x > d/new; touch -r ../a/d d", "\"new\" in \"d\" is not in the source")]
    [InlineData("rm d/l; ln -s g d/l; touch -hr ../a/d/l d/l; touch -r ../a/d d", "\"d/l\" points elsewhere in the copy")]
    [InlineData("rm n; mknod n c 1 5; touch -r ../a/n n; touch -r ../a .", "\"n\" has device 1:5 in the copy, 1:3 in the source")]
    [InlineData("rm p; : > p; touch -r ../a/p p; touch -r ../a .", "\"p\" has kind and mode 100644 in the copy, 10644 in the source")]
    [InlineData("rm d/g; cp -a d/f d/g; touch -r ../a/d d", "\"d/[fg]\" is another name of a file in the source, and a file of its own in the copy")]
    public async Task Every_difference_is_found_and_named(string change, string expected) => Assert.Matches($"^{expected}$", await CompareAsync(change));

    /// <summary>As an NFS server does it to files that it gets back from who wrote them.</summary>
    [Fact]
    public async Task Times_of_change_are_put_right()
    {
        Assert.Null(await CompareAsync("touch empty d/f; touch -hd 2001-01-01Z d/l; touch -d 2100-01-01Z d/e p . d"));
        const string Times = "find . -printf '%p %T@\n' | sort";
        Assert.Equal(
            await Command.OutputOfAsync("sh", "-ec", $"cd '{_folder.Of("a")}'; {Times}"), await Command.OutputOfAsync("sh", "-ec", $"cd '{_folder.Of("b")}'; {Times}"));
    }

    [Theory]
    [InlineData("user.origin", true)]
    [InlineData("trusted.overlay.opaque", true)]
    // Of one kind of file system, or of a host.
    [InlineData("trusted.SGI_ACL_FILE", false)]
    [InlineData("security.of_a_module", false)]
    public async Task An_attribute_that_was_lost_is_found(string attribute, bool isFound)
    {
        Assert.Null(await CompareAsync("true"));
        await Command.OutputOfAsync("python3", "-c", $"import os; os.setxattr('{_folder.Of("a/tagged")}', '{attribute}', b'here')");
        using var source = LibC.Open(null, _folder.Of("a"), LibC.O_RDONLY | LibC.O_DIRECTORY);
        using var copy = LibC.Open(null, _folder.Of("b"), LibC.O_RDONLY | LibC.O_DIRECTORY);
        Assert.Equal(
            isFound ? "\"tagged\" has other extended attributes in the copy: see that both file systems keep them" : null, new TreeComparison(() => { }, CancellationToken.None).Compare(source, copy));
    }
}
