using System.Diagnostics;
using System.Runtime.InteropServices;
using VolumeManager.Benchmarks.Engine;

namespace VolumeManager.Benchmarks.Reports;

/// <summary>The head of the report: what the figures were measured on.</summary>
internal static class Machine
{
    const int Flushes = 300;
    const int Block = 4096;

    internal static async Task<string> DescribeAsync(string workDirectory, string version, bool quick)
    {
        var (fileSystem, device) = FileSystemOf(workDirectory);
        if (fileSystem is "tmpfs" or "ramfs")
            throw new BenchmarkException($"{workDirectory} is on {fileSystem}, where fdatasync costs nothing: name a folder on a disk with --work");
        var (append, overwrite) = MeasureFlush(Path.Combine(workDirectory, "flush"));
        var memory = await ValueOfAsync("/proc/meminfo", "MemTotal");
        var cores = $"{Environment.ProcessorCount} cores ({await ValueOfAsync("/proc/cpuinfo", "model name")}), shared by client and server";
        return $"""
            # volman benchmark

            | machine | |
            | --- | --- |
            | date | {DateTime.UtcNow:yyyy-MM-dd HH:mm} UTC{(quick ? ", quick run: few repetitions" : "")} |
            | volman | {version} |
            | runtime of the null server | {RuntimeInformation.FrameworkDescription} |
            | cores | {cores} |
            | load average before the run | {await LoadAverageAsync()}: what others took of the cores |
            | memory | {Figures.Rounded(long.Parse(memory.Split(' ')[0]) / 1048576.0)} GiB |
            | system | {RuntimeInformation.OSDescription}, Linux {(await File.ReadAllTextAsync("/proc/sys/kernel/osrelease")).Trim()} |
            | catalog and volumes on | {fileSystem} ({device}) |
            | fdatasync after a 4 KiB append | {Figures.Micros(append)} µs (median) |
            | fdatasync after a 4 KiB overwrite | {Figures.Micros(overwrite)} µs (median) |
            """;
    }

    internal static async Task<string> VersionOfAsync(string executable)
    {
        var version = (await Command.RunAsync(TimeSpan.FromMinutes(1), executable, "--version")).Output;
        return version is { Length: > 0 } said ? said.Split('\n')[0] : "version not said";
    }

    static async Task<string> LoadAverageAsync() => (await File.ReadAllTextAsync("/proc/loadavg")).Split(' ')[0];

    /// <summary>Type and device of the file system that holds a directory.</summary>
    internal static (string FileSystem, string Device) FileSystemOf(string directory)
    {
        // 36 35 98:0 /root /mount/point rw,noatime shared:1 - ext4 /dev/sda1 rw (proc(5), mountinfo): the longest mount point above it wins, the last of equals.
        var mount = File.ReadLines("/proc/self/mountinfo").Select(line => line.Split(' '))
            .Where(fields => fields[4] == "/" || directory.StartsWith(fields[4] + "/", StringComparison.Ordinal))
            .Aggregate((best, next) => next[4].Length >= best[4].Length ? next : best);
        var dash = Array.IndexOf(mount, "-");
        return (mount[dash + 1], mount[dash + 2]);
    }

    static (TimeSpan Append, TimeSpan Overwrite) MeasureFlush(string path)
    {
        using var file = File.OpenHandle(path, FileMode.Create, FileAccess.ReadWrite);
        var append = Median(i => i * Block);
        return (append, Median(i => i * Block));

        TimeSpan Median(Func<int, long> offset)
        {
            var block = new byte[Block];
            var ticks = new long[Flushes];
            for (var i = 0; i < Flushes; i++)
            {
                var began = Stopwatch.GetTimestamp();
                RandomAccess.Write(file, block, offset(i));
                if (LibC.fdatasync(file) != 0)
                    throw LibC.Failure("fdatasync");
                ticks[i] = Stopwatch.GetTimestamp() - began;
            }
            return Latencies.Of([ticks]).Median;
        }
    }

    static async Task<string> ValueOfAsync(string file, string key)
    {
        var lines = await File.ReadAllLinesAsync(file);
        return lines.FirstOrDefault(line => line.StartsWith(key, StringComparison.Ordinal))?.Split(':', 2)[1].Trim() ?? "unknown";
    }
}
