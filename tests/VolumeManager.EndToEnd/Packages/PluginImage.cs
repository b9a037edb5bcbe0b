using VolumeManager.EndToEnd.Daemons;
using VolumeManager.EndToEnd.Machines;

namespace VolumeManager.EndToEnd.Packages;

/// <summary>An image with the daemon under test, from which plugin/build.sh makes the plugin. Made once for all tests.</summary>
internal sealed class PluginImage : IDisposable
{
    public const string Name = "volman-under-test";

    // The first time Debian's packages are fetched.
    static readonly TimeSpan s_deadline = TimeSpan.FromMinutes(15);

    readonly MachineFolder _folder = new();

    PluginImage()
    {
    }

    public string Path => _folder["image.tar"];

    public static async Task<PluginImage> MakeAsync()
    {
        var image = new PluginImage();
        var script = System.IO.Path.Combine(DaemonBinary.RepositoryRoot(), "tests/VolumeManager.EndToEnd/Packages/plugin-image.sh");
        (await Command.RunAsync(s_deadline, script, DaemonBinary.Folder, image.Path)).MustSucceed();
        return image;
    }

    public void Dispose() => _folder.Dispose();
}
