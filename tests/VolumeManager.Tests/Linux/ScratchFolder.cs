using VolumeManager.Linux;

namespace VolumeManager.Tests.Linux;

/// <summary>A temporary folder; what is mounted in it is unmounted at the end.</summary>
public sealed class ScratchFolder : IDisposable
{
    readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("volman-linux-");

    public string FullPath => _folder.FullName;

    public string Of(string relative) => Path.Combine(FullPath, relative);

    public string Make(string relative) => Directory.CreateDirectory(Of(relative)).FullName;

    public void Dispose()
    {
        foreach (var mount in MountInfo.Read().Where(m => m.MountPoint.StartsWith(FullPath + "/", StringComparison.Ordinal)).Reverse())
        {
            LibC.Check(LibC.Umount2(mount.MountPoint, 2 /* MNT_DETACH */), "umount", mount.MountPoint);
        }

        _folder.Delete(recursive: true);
    }
}
