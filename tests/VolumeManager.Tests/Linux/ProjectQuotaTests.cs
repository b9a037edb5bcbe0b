using VolumeManager.Linux;

namespace VolumeManager.Tests.Linux;

/// <summary>What the kernel says of projects, asked of file systems that have quotas and of some that have not.</summary>
[Trait("Catalog", "none")]
public sealed class ProjectQuotaTests
{
    [Theory]
    [InlineData("/proc")]
    [InlineData("/dev")]
    [InlineData("/sys")]
    public void File_systems_without_a_disk_have_no_quotas(string path)
    {
        using var directory = LibC.Open(null, path, LibC.O_RDONLY | LibC.O_DIRECTORY);
        Assert.Equal(ProjectQuota.Mode.None, ProjectQuota.ModeOf(directory));
    }

    [QuotaTheory]
    [InlineData("xfs", "prjquota", ProjectQuota.Mode.Limits)]
    [InlineData("xfs", "pqnoenforce", ProjectQuota.Mode.Counts)]
    [InlineData("xfs", "noquota", ProjectQuota.Mode.None)]
    [InlineData("xfs", "usrquota", ProjectQuota.Mode.None)]
    [InlineData("ext4", "prjquota", ProjectQuota.Mode.Limits)]
    [InlineData("ext4", "usrquota", ProjectQuota.Mode.Counts)]
    internal async Task What_a_file_system_does_with_projects_is_told(string kind, string options, ProjectQuota.Mode mode)
    {
        using var disk = await QuotaDisk.MakeAsync(kind, options);
        using var directory = LibC.Open(null, disk.Root, LibC.O_RDONLY | LibC.O_DIRECTORY);
        Assert.Equal(mode, ProjectQuota.ModeOf(directory));
    }

    [QuotaTheory]
    [InlineData("xfs")]
    [InlineData("ext4")]
    public async Task What_is_made_in_a_directory_is_counted_for_its_project(string kind)
    {
        using var disk = await QuotaDisk.MakeAsync(kind);
        var path = Directory.CreateDirectory(disk.Root + "/d").FullName;
        using var directory = LibC.Open(null, path, LibC.O_RDONLY | LibC.O_DIRECTORY);
        Assert.Equal(new ProjectQuota.Project(0, Inherits: false), ProjectQuota.ProjectOf(directory));
        Assert.Equal(default, ProjectQuota.UsageOf(directory, 70_000));
        ProjectQuota.SetProject(directory, 70_000);
        Assert.Equal(new ProjectQuota.Project(70_000, Inherits: true), ProjectQuota.ProjectOf(directory));
        ProjectQuota.SetLimit(directory, 70_000, (1 << 20) - 1);
        Directory.CreateDirectory(path + "/sub");
        await File.WriteAllBytesAsync(path + "/sub/f", new byte[100_000]);
        var usage = ProjectQuota.UsageOf(directory, 70_000);
        Assert.Equal(3, usage.Files);
        Assert.InRange(usage.Bytes, 100_000, 200_000);
        Assert.InRange(usage.Limit, 1 << 20, 1 << 20);
        ProjectQuota.SetLimit(directory, 70_000, 0);
        Assert.Equal(usage with { Limit = 0 }, ProjectQuota.UsageOf(directory, 70_000));
    }
}
