using System.Globalization;

namespace VolumeManager.EndToEnd.Machines;

/// <summary>A machine's disk: a folder that survives its power-offs and goes with the test.</summary>
internal sealed class MachineFolder : IDisposable
{
    // Short: the path of a socket may have 107 bytes.
    const string Prefix = "volman-e2e-";
    static int s_count;

    public MachineFolder()
    {
        SweepDead();
        Name = $"{Prefix}{Environment.ProcessId}-{Interlocked.Increment(ref s_count)}";
        Root = Path.Combine(Path.GetTempPath(), Name);
        foreach (var folder in new[] { Root, Plugins, Path.Combine(Root, "layers"), Copies })
            Directory.CreateDirectory(folder);
    }

    public string Name { get; }
    public string Root { get; }

    /// <summary>The machine's /run/docker/plugins.</summary>
    public string Plugins => this["plugins"];

    /// <summary>Where `docker cp` takes from and puts to.</summary>
    public string Copies => this["copies"];

    public string this[string name] => Path.Combine(Root, name);

    public void Dispose()
    {
        RemoveCgroups(Name);
        Directory.Delete(Root, recursive: true);
    }

    /// <summary>What an aborted test run left on the disk. Its processes and mounts went with it.</summary>
    static void SweepDead()
    {
        foreach (var folder in Directory.EnumerateDirectories(Path.GetTempPath(), Prefix + "*"))
        {
            var name = Path.GetFileName(folder);
            var owner = name[Prefix.Length..].Split('-')[0];
            if (int.TryParse(owner, CultureInfo.InvariantCulture, out _) && !Directory.Exists($"/proc/{owner}"))
                TrySweep(folder);
        }
    }

    static void TrySweep(string folder)
    {
        RemoveCgroups(Path.GetFileName(folder));
        try
        {
            Directory.Delete(folder, recursive: true);
        }
        catch (IOException)
        {
            // Another run of these tests sweeps it at this moment.
        }
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
