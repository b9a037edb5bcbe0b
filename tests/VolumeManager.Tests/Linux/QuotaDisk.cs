using VolumeManager.Linux;

namespace VolumeManager.Tests.Linux;

/// <summary>A file system in a file, mounted with project quotas or without.</summary>
internal sealed class QuotaDisk : IDisposable
{
    readonly ScratchFolder _folder = new();

    public string Root => _folder.Of("disk");

    /// <param name="kind">xfs or ext4.</param>
    /// <param name="options">Of mount(8).</param>
    internal static async Task<QuotaDisk> MakeAsync(string kind, string options = "prjquota")
    {
        var disk = new QuotaDisk();
        try
        {
            var image = disk._folder.Of("image");
            // The least that mkfs.xfs takes.
            using (var file = File.Create(image)) file.SetLength(300 << 20);
            await Command.OutputOfAsync("mkfs." + kind, kind == "ext4" ? ["-q", "-O", "project,quota", image] : ["-q", image]);
            disk._folder.Make("disk");
            await Command.OutputOfAsync("mount", "-o", "loop," + options, image, disk.Root);
            return disk;
        }
        catch
        {
            disk.Dispose();
            throw;
        }
    }

    /// <summary>Writes 8 MiB, or as much as there is room for, as a container does: it has not the right that root has on ext4, to go past every limit.</summary>
    /// <returns>How many bytes were written.</returns>
    internal static async Task<long> FillAsync(string file) => long.Parse(await Command.OutputOfAsync(
        "sh", "-c", "setpriv --bounding-set -sys_resource dd if=/dev/zero of=$0 bs=64k count=128 2>/dev/null; sync -f $0; stat -c %s $0", file));

    public void Dispose() => _folder.Dispose();
}

/// <summary>A test of real quotas on file systems of both kinds; where they cannot be made it is shown as skipped. The laboratory's kernel always can.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class QuotaTheoryAttribute : TheoryAttribute
{
    static readonly Lazy<Task<string?>> s_whyNot = new(WhyNotAsync);

#pragma warning disable RS0030 // An attribute cannot wait otherwise.
    public QuotaTheoryAttribute() => Skip = s_whyNot.Value.GetAwaiter().GetResult();
#pragma warning restore RS0030

    static async Task<string?> WhyNotAsync()
    {
        foreach (var kind in new[] { "xfs", "ext4" })
        {
            try
            {
                using var disk = await QuotaDisk.MakeAsync(kind);
                using var directory = LibC.Open(null, disk.Root, LibC.O_RDONLY);
                if (ProjectQuota.ModeOf(directory) != ProjectQuota.Mode.Limits) return $"this kernel has no project quotas for {kind}";
            }
            catch (Exception e)
            {
                return $"no {kind} with project quotas can be made here: {e.Message}";
            }
        }

        return null;
    }
}
