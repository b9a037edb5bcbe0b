namespace VolumeManager.Benchmarks.Servers;

/// <summary>How long processes have had a core, in user mode and in the kernel. The kernel counts in hundredths of a second, so it says something of loads, not of requests.</summary>
internal static class ProcessorTime
{
    // USER_HZ, which proc(5) counts in, is 100 on every Linux that .NET runs on.
    static readonly TimeSpan Tick = TimeSpan.FromMilliseconds(10);

    internal static TimeSpan Of(params IEnumerable<int> pids) => Tick * pids.Sum(TicksOf);

    static long TicksOf(int pid)
    {
        try
        {
            // pid (comm) state ppid …: comm may hold spaces, so count from the last bracket; utime and stime are the fields 14 and 15.
            var stat = File.ReadAllText($"/proc/{pid}/stat");
            var fields = stat[(stat.LastIndexOf(')') + 2)..].Split(' ');
            return long.Parse(fields[11]) + long.Parse(fields[12]);
        }
        catch (IOException)
        {
            // A backend that has ended meanwhile.
            return 0;
        }
    }
}
