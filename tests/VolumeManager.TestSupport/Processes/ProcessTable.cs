using System.Runtime.InteropServices;

namespace VolumeManager.TestSupport.Processes;

/// <summary>The kernel's list of processes: their states, parents and names, and signals to them.</summary>
internal static partial class ProcessTable
{
    public const int SIGINT = 2;
    public const int SIGQUIT = 3;
    public const int SIGKILL = 9;
    public const int SIGTERM = 15;
    public const int SIGCONT = 18;
    public const int SIGSTOP = 19;

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

    /// <summary>Returns false for a zombie: it waits for its parent only, which may be a container's lazy first process.</summary>
    public static bool IsAlive(int pid) => Read(pid).State is not ('\0' or 'Z' or 'X');

    /// <summary>Returns true for an ended process too.</summary>
    public static bool IsStopped(int pid) => Read(pid).State is 'T' or 't' || !IsAlive(pid);

    /// <summary>The first 15 bytes of its program's name; empty when it has ended.</summary>
    public static string NameOf(int pid) => TryRead($"/proc/{pid}/comm").TrimEnd('\n');

    static Dictionary<int, int> Parents() => Directory.EnumerateDirectories("/proc")
        .Select(folder => int.TryParse(Path.GetFileName(folder), out var pid) ? pid : 0)
        .Where(pid => pid != 0)
        .ToDictionary(pid => pid, pid => Read(pid).Parent);

    static (char State, int Parent) Read(int pid)
    {
        var stat = TryRead($"/proc/{pid}/stat");
        if (stat.Length == 0)
            return default;
        // proc(5): pid (comm) state ppid …; comm may hold spaces and brackets, so count from the last one.
        var fields = stat[(stat.LastIndexOf(')') + 2)..].Split(' ', 3);
        return (fields[0][0], int.Parse(fields[1]));
    }

    static string TryRead(string file)
    {
        try
        {
            return File.ReadAllText(file);
        }
        catch (IOException)
        {
            return ""; // It ended while we looked.
        }
    }

    [LibraryImport("libc", EntryPoint = "kill")]
    private static partial int Kill(int pid, int signal);
}
