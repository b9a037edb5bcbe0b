namespace VolumeManager.Benchmarks.Servers;

/// <summary>A process's resident memory in bytes.</summary>
/// <param name="Pss">What it has alone, and its share of what it has together with others.</param>
/// <param name="Private">What it has alone.</param>
internal sealed record ProcessMemory(long Pss, long Rss, long Private)
{
    internal static ProcessMemory Of(int pid)
    {
        var kibibytes = File.ReadLines($"/proc/{pid}/smaps_rollup").Skip(1).Select(line => line.Split(':'))
            .ToDictionary(pair => pair[0], pair => long.Parse(pair[1].Trim().Split(' ')[0]), StringComparer.Ordinal);
        return new ProcessMemory(kibibytes["Pss"] * 1024, kibibytes["Rss"] * 1024, (kibibytes["Private_Clean"] + kibibytes["Private_Dirty"]) * 1024);
    }
}
