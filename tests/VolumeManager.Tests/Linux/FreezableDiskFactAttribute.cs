namespace VolumeManager.Tests.Linux;

/// <summary>A test that makes a disk in a file and freezes it, so that what is done there takes as long as the test wants.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class FreezableDiskFactAttribute : FactAttribute
{
    public FreezableDiskFactAttribute()
    {
        if (!File.Exists("/dev/loop-control")) Skip = "there are no loop devices here";
        else if (!File.Exists("/usr/sbin/fsfreeze") || !File.Exists("/usr/sbin/mkfs.ext4")) Skip = "fsfreeze (util-linux) or mkfs.ext4 (e2fsprogs) is not installed";
    }
}
