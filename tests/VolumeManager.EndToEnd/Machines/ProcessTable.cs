using System.Runtime.InteropServices;

namespace VolumeManager.EndToEnd.Machines;

/// <summary>The kernel's list of processes: who is whose child, and signals to them.</summary>
internal static partial class ProcessTable
{
    public const int SIGKILL = 9;
    public const int SIGTERM = 15;

    public static void Signal(int pid, int signal)
    {
        // kill(2) takes 0 for our own process group, and -1 for everybody.
        ArgumentOutOfRangeException.ThrowIfLessThan(pid, 2);
        _ = Kill(pid, signal);
    }

    public static IReadOnlyList<int> ChildrenOf(int pid) => [.. Parents().Where(entry => entry.Value == pid).Select(entry => entry.Key)];

    /// <summary>All that descend from a process, without it.</summary>
    public static IReadOnlyList<int> DescendantsOf(int pid)
    {
        var children = Parents().ToLookup(entry => entry.Value, entry => entry.Key);
        var found = new List<int>();
        var open = new Queue<int>([pid]);
        while (open.TryDequeue(out var next))
        {
            found.AddRange(children[next]);
            foreach (var child in children[next])
                open.Enqueue(child);
        }
        return found;
    }

    static Dictionary<int, int> Parents()
    {
        var parents = new Dictionary<int, int>();
        foreach (var folder in Directory.EnumerateDirectories("/proc"))
        {
            if (!int.TryParse(Path.GetFileName(folder), out var pid) || ReadStat(folder) is not { } stat)
                continue;
            // proc(5): pid (comm) state ppid …; comm may hold spaces and brackets, so count from the last one.
            parents[pid] = int.Parse(stat[(stat.LastIndexOf(')') + 4)..].Split(' ')[0]);
        }
        return parents;
    }

    static string? ReadStat(string folder)
    {
        try
        {
            return File.ReadAllText($"{folder}/stat");
        }
        catch (IOException)
        {
            return null; // It ended while we looked.
        }
    }

    [LibraryImport("libc", EntryPoint = "kill")]
    private static partial int Kill(int pid, int signal);
}
