namespace VolumeManager.EndToEnd.Machines;

/// <summary>A machine's disk: a folder that survives its power-offs and goes with the test.</summary>
internal sealed class MachineFolder : IDisposable
{
    const string Prefix = "volman-e2e-";

    readonly ScratchFolder _folder;

    public MachineFolder()
    {
        foreach (var dead in ScratchFolder.DeadIn(Path.GetTempPath(), Prefix))
            RemoveCgroups(Path.GetFileName(dead));
        _folder = new ScratchFolder(Prefix);
        foreach (var folder in new[] { "plugins", "layers", "copies" })
            _folder.Make(folder);
    }

    public string Name => _folder.Name;
    public string Root => _folder.FullPath;

    /// <summary>The machine's /run/docker/plugins.</summary>
    public string Plugins => this["plugins"];

    /// <summary>Where `docker cp` takes from and puts to.</summary>
    public string Copies => this["copies"];

    public string this[string name] => _folder.Of(name);

    public void Dispose()
    {
        RemoveCgroups(Name);
        _folder.Dispose();
    }

    /// <summary>The engine's cgroup parents: one in version 2, one a controller in version 1, each below the cgroup that we are in.</summary>
    static void RemoveCgroups(string name)
    {
        const string root = "/sys/fs/cgroup";
        if (!Directory.Exists(root))
            return;
        var all = new EnumerationOptions { RecurseSubdirectories = true };
        foreach (var parent in Directory.GetDirectories(root, name, all))
        {
            foreach (var group in Directory.GetDirectories(parent, "*", all).OrderByDescending(path => path.Length).Append(parent))
                TryRemove(group);
        }
    }

    static void TryRemove(string cgroup)
    {
        try
        {
            Directory.Delete(cgroup);
        }
        catch (IOException)
        {
            // An empty cgroup that the kernel is still tearing down: a nuisance, not a failure.
        }
    }
}
