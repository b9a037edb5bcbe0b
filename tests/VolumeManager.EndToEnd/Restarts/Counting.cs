using VolumeManager.EndToEnd.Hosts;
using VolumeManager.EndToEnd.Machines;

namespace VolumeManager.EndToEnd.Restarts;

/// <summary>A container that appends the next number to /x/log ten times a second, and notes in /tmp/errors when that fails.</summary>
internal static class Counting
{
    public const string Script = "i=0; while true; do i=$((i+1)); echo $i >> /x/log || echo failed >> /tmp/errors; usleep 100000; done";
    const int Numbers = 5;

    /// <summary>It writes now: some more numbers come.</summary>
    public static async Task GoesOnAsync(Scene scene, string volume)
    {
        var path = Path.Combine(scene.Daemon.DataRoot, volume, "log");
        var before = File.Exists(path) ? File.ReadLines(path).Count() : 0;
        await Poll.UntilAsync($"the container goes on writing to {volume}", () => File.Exists(path) && File.ReadLines(path).Count() >= before + Numbers);
    }

    /// <summary>From its one start until now it wrote every number, in order, without an error.</summary>
    public static async Task NeverNoticedAsync(Scene scene, string container, string volume)
    {
        await GoesOnAsync(scene, volume);
        var numbers = await File.ReadAllLinesAsync(Path.Combine(scene.Daemon.DataRoot, volume, "log"));
        Assert.Equal(Enumerable.Range(1, numbers.Length).Select(number => $"{number}"), numbers);
        Assert.Equal("none", await scene.DockerAsync($"exec {container} sh -c", "cat /tmp/errors 2>/dev/null || echo none"));
    }
}
