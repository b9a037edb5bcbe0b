using VolumeManager.Exports;
using VolumeManager.Linux;
using VolumeManager.Tests.Linux;
using VolumeManager.Volumes;

namespace VolumeManager.Tests.Exports;

/// <summary>The projects of volumes: which directories get one, what limit it has, and what is said where there is none.</summary>
[Trait("Catalog", "none")]
public sealed class DirectoryQuotaTests
{
    const long Limit = 4 << 20;

    [Fact]
    public async Task Without_quotas_nothing_is_done_and_it_is_said_why()
    {
        using var folder = new ScratchFolder();
        var root = new DirectoryRoot(folder.Make("root"));
        await Command.OutputOfAsync("mount", "-t", "tmpfs", "tmpfs", root.Path);
        var quota = new DirectoryQuota(root);
        var volume = Make(root, "v", Limit);
        Assert.StartsWith("unknown: ", quota.DescribeLimit(volume), StringComparison.Ordinal);
        foreach (var act in new Action<Volume>[] { quota.Apply, quota.Look })
        {
            act(volume);
            Assert.Equal($"no: the file system of {root.Path} has no project quotas; use XFS or ext4, mounted with prjquota", quota.DescribeLimit(volume));
        }

        Assert.Null(quota.ReadUsage(volume));
        // One that is missing twice is gone; once, it may have been created after the list was made.
        quota.Refresh([]);
        Assert.True(quota.Knows(volume));
        quota.Refresh([]);
        Assert.False(quota.Knows(volume));
        quota.Release("v");
        quota.Apply(Describe("missing", Limit));
        Assert.Contains("No such file", quota.DescribeLimit(Describe("missing", Limit)), StringComparison.Ordinal);
    }

    [QuotaTheory]
    [InlineData("xfs")]
    [InlineData("ext4")]
    public async Task A_volume_is_full_at_its_size_and_its_neighbour_goes_on(string kind)
    {
        using var disk = await QuotaDisk.MakeAsync(kind);
        var (root, quota) = Open(disk);
        var (full, other) = (Make(root, "full", Limit), Make(root, "other", null));
        quota.Apply(full);
        quota.Apply(other);
        Assert.Equal("yes", quota.DescribeLimit(full));
        Assert.NotEqual(ProjectOf(root, "full"), ProjectOf(root, "other"));
        Assert.InRange(await QuotaDisk.FillAsync(root.Path + "/full/f"), Limit - (64 << 10), Limit);
        Assert.Equal(2 * Limit, await QuotaDisk.FillAsync(root.Path + "/other/f"));
        foreach (var volume in new[] { full, other })
        {
            var usage = quota.ReadUsage(volume)!;
            Assert.Equal(await Command.OutputOfAsync("du", "-s", "-B1", root.Path + "/" + volume.Name), $"{usage.Bytes}\t{root.Path}/{volume.Name}");
            Assert.Equal(2, usage.Files);
        }
    }

    [QuotaTheory]
    [InlineData("xfs")]
    [InlineData("ext4")]
    public async Task A_project_stays_its_directorys_and_has_the_limit_of_its_volume(string kind)
    {
        using var disk = await QuotaDisk.MakeAsync(kind);
        var (root, quota) = Open(disk);
        var volume = Make(root, "v", Limit);
        quota.Apply(volume);
        var id = ProjectOf(root, "v");
        File.WriteAllText(root.Path + "/v/f", "data");
        // As after a restart.
        quota = new DirectoryQuota(root);
        quota.Look(volume);
        Assert.Equal("yes", quota.DescribeLimit(volume));
        // As after a removal with retain, and an adoption.
        var adopted = volume with { Id = Guid.NewGuid(), Adopted = true, SizeBytes = 2 * Limit };
        quota.Look(adopted);
        Assert.StartsWith("no: its project has another limit", quota.DescribeLimit(adopted), StringComparison.Ordinal);
        quota.Apply(adopted);
        Assert.Equal("yes", quota.DescribeLimit(adopted));
        Assert.Equal((id, 2 * Limit), (ProjectOf(root, "v"), LimitOf(root, "v")));
        quota.Apply(volume with { SizeBytes = null });
        Assert.Equal(0, LimitOf(root, "v"));
        quota.Apply(volume);
        quota.Release("v");
        Assert.Equal((id, 0), (ProjectOf(root, "v"), LimitOf(root, "v")));
    }

    [QuotaTheory]
    [InlineData("xfs")]
    [InlineData("ext4")]
    public async Task What_holds_data_or_belongs_to_another_project_is_left_as_it_is(string kind)
    {
        using var disk = await QuotaDisk.MakeAsync(kind);
        var (root, quota) = Open(disk);
        var volume = Make(root, "v", Limit);
        File.WriteAllText(root.Path + "/v/f", "data");
        quota.Apply(volume);
        Assert.StartsWith($"no: {root.Path}/v holds data that no project counts", quota.DescribeLimit(volume), StringComparison.Ordinal);
        Assert.Equal(0u, ProjectOf(root, "v"));
        Assert.Null(quota.ReadUsage(volume));

        var given = Make(root, "given", Limit);
        SetProject(root, "given", 7);
        quota.Apply(given);
        Assert.Equal($"no: {root.Path}/given belongs to project 7, which volman did not give it", quota.DescribeLimit(given));
        Assert.Equal((7u, 0), (ProjectOf(root, "given"), LimitOf(root, "given")));

        // Within a directory that has a project of volman's, the limit would be both volumes'.
        quota.Apply(Make(root, "outer", 2 * Limit));
        Directory.CreateDirectory(root.Path + "/outer/inner");
        var inner = Describe("outer/inner", Limit);
        quota.Apply(inner);
        Assert.StartsWith($"no: {root.Path}/outer belongs to project {ProjectOf(root, "outer")}", quota.DescribeLimit(inner), StringComparison.Ordinal);
        Assert.Equal(2 * Limit, LimitOf(root, "outer"));
        Assert.Null(quota.ReadUsage(inner));

        SetProject(root, "", 9);
        var last = Make(root, "last", Limit);
        quota.Apply(last);
        Assert.StartsWith($"no: {root.Path} belongs to project 9, whose limit", quota.DescribeLimit(last), StringComparison.Ordinal);
        Assert.True(root.TryRename("last", "last-renamed"));
    }

    [QuotaTheory]
    [InlineData("xfs")]
    [InlineData("ext4")]
    public async Task Two_thousand_volumes_have_projects_of_their_own_close_together(string kind)
    {
        using var disk = await QuotaDisk.MakeAsync(kind);
        var (root, quota) = Open(disk);
        var names = Enumerable.Range(0, 2000).Select(i => $"v{i}").ToList();
        Parallel.ForEach(names, name => quota.Apply(Make(root, name, Limit)));
        var projects = names.Select(name => ProjectOf(root, name)).ToHashSet();
        Assert.Equal(2000, projects.Count);
        Assert.InRange(projects.Min(), 1u << 24, (1u << 24) + 1000);
        Assert.InRange(projects.Max(), 1u << 24, (1u << 24) + 100_000);
    }

    [QuotaTheory]
    [InlineData("xfs")]
    [InlineData("ext4")]
    public async Task A_file_system_that_is_mounted_later_is_noticed(string kind)
    {
        using var disk = await QuotaDisk.MakeAsync(kind);
        using var folder = new ScratchFolder();
        var root = new DirectoryRoot(folder.Make("root"));
        await Command.OutputOfAsync("mount", "-t", "tmpfs", "tmpfs", root.Path);
        var quota = new DirectoryQuota(root);
        var volume = Make(root, "v", Limit);
        quota.Refresh([volume]);
        quota.Look(volume);
        Assert.StartsWith("no: ", quota.DescribeLimit(volume), StringComparison.Ordinal);
        await ShellCommand.BindAsync(disk.Root, root.Path);
        quota.Refresh([volume]);
        Assert.False(quota.Knows(volume));
        Make(root, "v", Limit);
        quota.Apply(volume);
        Assert.Equal("yes", quota.DescribeLimit(volume));
    }

    static (DirectoryRoot Root, DirectoryQuota Quota) Open(QuotaDisk disk)
    {
        var root = new DirectoryRoot(disk.Root + "/root");
        return (root, new DirectoryQuota(root));
    }

    static Volume Make(DirectoryRoot root, string name, long? size)
    {
        root.TryMake(name, mode: 0x1ED /* 0755 */, uid: 0, gid: 0);
        return Describe(name, size);
    }

    static Volume Describe(string directory, long? size) => new()
    {
        // The same for the same directory.
        Id = new Guid(System.Security.Cryptography.SHA256.HashData(System.Text.Encoding.UTF8.GetBytes(directory)).AsSpan(0, 16)),
        Name = directory,
        Backend = "local",
        Directory = directory,
        SizeBytes = size,
        CreatedAt = DateTime.UtcNow,
        CreatedOnHost = "test",
    };

    static uint ProjectOf(DirectoryRoot root, string relative)
    {
        using var directory = root.Open(relative, LibC.O_RDONLY);
        return ProjectQuota.ProjectOf(directory).Id;
    }

    static void SetProject(DirectoryRoot root, string relative, uint id)
    {
        using var directory = root.Open(relative, LibC.O_RDONLY);
        ProjectQuota.SetProject(directory, id);
    }

    static long LimitOf(DirectoryRoot root, string relative)
    {
        using var directory = root.Open(relative, LibC.O_RDONLY);
        return ProjectQuota.UsageOf(directory, ProjectQuota.ProjectOf(directory).Id).Limit;
    }
}
