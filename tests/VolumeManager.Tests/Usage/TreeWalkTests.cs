using VolumeManager.Linux;
using VolumeManager.Tests.Linux;
using VolumeManager.Usage;

namespace VolumeManager.Tests.Usage;

/// <summary>Every figure is compared with what du(1) says of the same tree.</summary>
[Trait("Catalog", "none")]
public sealed class TreeWalkTests : IDisposable
{
    readonly ScratchFolder _folder = new();

    public TreeWalkTests() => _folder.Make("tree");

    public void Dispose()
    {
        foreach (var mount in MountInfo.Read().Where(m => m.MountPoint == _folder.Of("tree") || m.MountPoint.StartsWith(_folder.Of("tree/"), StringComparison.Ordinal)).Reverse())
        {
            LibC.Check(LibC.Umount2(mount.MountPoint, LibC.MNT_DETACH), "umount", mount.MountPoint);
        }

        // The framework knows no names that are no text, and no depth like this.
        using (var folder = LibC.Open(null, _folder.FullPath, LibC.O_RDONLY | LibC.O_DIRECTORY)) TreeRemoval.Remove(folder, "tree", () => { });
        _folder.Dispose();
    }

    [Fact]
    public Task An_empty_directory_is_one_file() => SameAsDuAsync(":");

    [Fact]
    public Task Files_and_directories_of_many_sizes_are_counted() => SameAsDuAsync(
        "for d in a a/b a/b/c d; do mkdir $d; for n in 0 1 4095 4096 4097 1000000; do head -c $n /dev/zero | tr '\\0' x > $d/$n; done; done; mkfifo fifo; mknod null c 1 3");

    [Fact]
    public Task Of_a_sparse_file_only_what_is_on_disk_counts() => SameAsDuAsync("truncate -s 1G sparse; head -c 5000 /dev/urandom | dd of=holes bs=1 seek=100000000 status=none; fallocate -l 300000 reserved");

    [Fact]
    public Task A_file_with_several_names_counts_once() => SameAsDuAsync(
        "mkdir a a/b; head -c 50000 /dev/urandom > one; ln one two; ln one a/three; ln a/three a/b/four; head -c 9000 /dev/urandom > a/other; ln a/other a/b/other; ln -s one link; ln link link2");

    [Fact]
    public Task A_file_with_a_name_outside_the_tree_counts() => SameAsDuAsync("head -c 70000 /dev/urandom > ../outside; ln ../outside inside; ln ../outside inside2; mkdir d; mv inside2 d");

    [Fact]
    public Task Links_are_not_followed() => SameAsDuAsync(
        "mkdir ../outside; head -c 100000 /dev/urandom > ../outside/f; ln -s ../outside directory; ln -s ../outside/f file; ln -s / root; ln -s . self; ln -s nowhere dangling; "
        + "ln -s $(printf 'x%.0s' $(seq 3000)) long");

    [Theory]
    [InlineData(31)]
    [InlineData(64)]
    [InlineData(65)]
    [InlineData(100)]
    [InlineData(3000)]
    public Task No_depth_is_too_deep(int depth) => SameAsDuAsync($"mkdir -p $(printf 'n/%.0s' $(seq {depth})) && echo end > n/f");

    [Fact]
    public Task A_deep_tree_with_branches_at_each_level_is_walked_to_its_ends() => SameAsDuAsync(
        "for i in $(seq 200); do mkdir a b z; echo $i > a/f; echo $i > z/f; mkdir z/n z/n/n; for f in 1 2 3 4 5 6 7 8 9; do : > file-with-a-long-name-$f; done; cd -P b; done");

    [Fact]
    public Task A_wide_directory_far_below_is_gone_on_with_where_it_was_left() => SameAsDuAsync(
        "p=$(printf 'n/%.0s' $(seq 40)); mkdir -p $p; cd -P $p; for i in $(seq 900); do : > file-$i; done; "
        + "for i in 1 2 3; do mkdir -p branch-$i/$(printf 'n/%.0s' $(seq 60)); echo x > branch-$i/$(printf 'n/%.0s' $(seq 60))f; done; for i in $(seq 900); do : > more-$i; done");

    [Fact]
    public Task Names_that_are_no_text_are_found() => SameAsDuAsync(
        """echo x > "$(printf '\377\376')"; mkdir "$(printf '\200')"; echo y > "$(printf '\200/\300')"; echo z > "$(printf 'a\nb')"; : > -rf; : > ' '; mkdir ...; : > .../.hidden""");

    [Fact]
    public async Task What_is_mounted_in_it_is_not_counted()
    {
        _folder.Make("tree/other/deeper");
        _folder.Make("tree/kept");
        await Command.OutputOfAsync("mount", "-t", "tmpfs", "tmpfs", _folder.Of("tree/other"));
        await Command.OutputOfAsync("sh", "-c", "head -c 500000 /dev/zero > \"$0\"", _folder.Of("tree/other/f"));
        await SameAsDuAsync("head -c 12345 /dev/zero > kept/f");
    }

    [Fact]
    public async Task A_directory_of_the_same_disk_that_is_mounted_in_it_is_not_counted_either()
    {
        // du(1) cannot tell it from one that lies there.
        await SameAsDuAsync("mkdir a; echo x > a/f");
        var before = Measure();
        _folder.Make("outside/sub");
        await File.WriteAllTextAsync(_folder.Of("outside/f"), new string('x', 100_000));
        _folder.Make("tree/mounted");
        await ShellCommand.BindAsync(_folder.Of("outside"), _folder.Of("tree/mounted"));
        Assert.Equal(before, Measure());
        await Command.OutputOfAsync("umount", _folder.Of("tree/mounted"));
        Assert.Equal(before.Files + 1, Measure().Files);
    }

    [Fact]
    public async Task A_mount_point_may_itself_be_measured()
    {
        await Command.OutputOfAsync("mount", "-t", "tmpfs", "tmpfs", _folder.Of("tree"));
        await SameAsDuAsync("mkdir d; head -c 12345 /dev/zero > d/f");
    }

    [Fact]
    public async Task What_vanishes_and_comes_meanwhile_is_no_error()
    {
        await Command.OutputOfAsync("sh", "-c", "cd \"$0\" && mkdir keep && echo x > keep/f", _folder.Of("tree"));
        using var stop = new CancellationTokenSource();
        var churn = Enumerable.Range(0, 2).Select(i => ChurnAsync($"churn-{i}", stop.Token)).ToArray();
        try
        {
            for (var i = 0; i < 300; i++) Assert.InRange(Measure().Files, 3, 2000);
        }
        finally
        {
            await stop.CancelAsync();
            await Task.WhenAll(churn);
        }

        Assert.Equal(3, Measure().Files);
    }

    /// <summary>Makes, moves and deletes deep and wide trees all the time.</summary>
    Task ChurnAsync(string name, CancellationToken stop) => Task.Run(async () =>
    {
        const string script = """
            cd "$0" && mkdir -p $1/$(printf 'n/%.0s' $(seq 100)) && cd $1 && mkdir wide && : > wide/f && for i in $(seq 100); do ln wide/f wide/$i; mkdir wide/d$i; done
            mv n/n/n/n/n/n/n wide/moved; mv wide wider; cd .. && rm -rf $1
            """;
        while (!stop.IsCancellationRequested) await Command.OutputOfAsync("sh", "-c", script, _folder.Of("tree"), name);
    }, CancellationToken.None);

    [Fact]
    public async Task No_file_stays_open_and_few_are_at_a_time()
    {
        const int depth = 500;
        await Command.OutputOfAsync("sh", "-c", $"cd \"$0\" && mkdir -p $(printf 'n/%.0s' $(seq {depth}))", _folder.Of("tree"));
        // The pace lets us look in between.
        var most = 0;
        var measuring = Task.Run(() => Measure(perSecond: 1000));
        while (!measuring.IsCompleted) most = Math.Max(most, OpenBelowTree());
        Assert.Equal(depth + 1, (await measuring).Files);
        Assert.InRange(most, 1, 70);
        Assert.Equal(0, OpenBelowTree());
    }

    int OpenBelowTree() => Directory.GetFileSystemEntries("/proc/self/fd").Count(fd => new FileInfo(fd).LinkTarget?.StartsWith(_folder.Of("tree"), StringComparison.Ordinal) == true);

    [Theory]
    [InlineData(0)]
    [InlineData(2)]
    public async Task Of_more_files_with_several_names_than_it_remembers_the_sum_is_the_same(int maxRemembered)
    {
        await Command.OutputOfAsync("sh", "-c", "cd \"$0\" && mkdir a b c && for i in $(seq 50); do head -c ${i}000 /dev/zero > a/$i; ln a/$i b/$i; ln a/$i c/$i; done", _folder.Of("tree"));
        using var top = OpenTree();
        var usage = new TreeWalk(new Pace(1_000_000), CancellationToken.None, maxRemembered).Measure(top);
        Assert.Equal(new TreeUsage(await DuAsync("--block-size=1"), await DuAsync("--inodes")), usage);
    }

    [Fact]
    public async Task A_tree_that_is_too_deep_is_not_measured()
    {
        _folder.Make("tree/a/b/c");
        using var top = OpenTree();
        Assert.Contains("deeper than 3 directories", Assert.Throws<IOException>(() => new TreeWalk(new Pace(1_000_000), CancellationToken.None, maxDepth: 3).Measure(top)).Message, StringComparison.Ordinal);
        await SameAsDuAsync(":");
    }

    [Fact]
    public async Task A_walk_that_is_cancelled_ends_at_its_next_step()
    {
        for (var i = 0; i < 100; i++) _folder.Make($"tree/{i}");
        using var cancellation = new CancellationTokenSource();
        // At this pace it would take most of a minute.
        var walk = new TreeWalk(new Pace(2), cancellation.Token);
        using var top = OpenTree();
        var measuring = Task.Run(() => walk.Measure(top), CancellationToken.None);
        await Poll.UntilAsync("it walks", () => walk.Steps > 0);
        await cancellation.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => measuring);
        Assert.InRange(walk.Steps, 1, 99);
    }

    /// <summary>Makes the tree by a script, and compares.</summary>
    async Task SameAsDuAsync(string script)
    {
        await Command.OutputOfAsync("sh", "-c", $"cd \"$0\" || exit 1\n{script}", _folder.Of("tree"));
        var bytes = await DuAsync("--block-size=1");
        var files = await DuAsync("--inodes");
        Assert.Equal(new TreeUsage(bytes, files), Measure());
    }

    async Task<long> DuAsync(string unit) => long.Parse((await Command.OutputOfAsync("du", "-s", "-x", unit, _folder.Of("tree"))).Split('\t')[0]);

    TreeUsage Measure(int perSecond = 1_000_000)
    {
        using var top = OpenTree();
        return new TreeWalk(new Pace(perSecond), CancellationToken.None).Measure(top);
    }

    Microsoft.Win32.SafeHandles.SafeFileHandle OpenTree() => LibC.Open(null, _folder.Of("tree"), LibC.O_RDONLY | LibC.O_DIRECTORY);
}
