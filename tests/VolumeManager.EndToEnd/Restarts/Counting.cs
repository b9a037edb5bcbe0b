using VolumeManager.EndToEnd.Hosts;

namespace VolumeManager.EndToEnd.Restarts;

/// <summary>A container that appends the next number to a file in /x ten times a second, and notes in /tmp/errors when that fails.</summary>
internal static class Counting
{
    const string Log = "log";
    public static readonly string Script = ScriptFor(Log);
    const int Numbers = 5;

    /// <summary>For containers that share a volume: each writes a file of its own.</summary>
    public static string ScriptFor(string file) => $"i=0; while true; do i=$((i+1)); echo $i >> /x/{file} || echo failed >> /tmp/errors; usleep 100000; done";

    public static Task GoesOnAsync(Scene scene, string volume) => GoesOnAsync(Path.Combine(scene.Daemon.DataRoot, volume, Log));

    /// <summary>It writes now: some more numbers come.</summary>
    public static async Task GoesOnAsync(string path)
    {
        var before = File.Exists(path) ? File.ReadLines(path).Count() : 0;
        await Poll.UntilAsync($"a container goes on writing to {path}", () => File.Exists(path) && File.ReadLines(path).Count() >= before + Numbers);
    }

    public static Task NeverNoticedAsync(Scene scene, string container, string volume) =>
        NeverNoticedAsync((DockerUser)scene, container, Path.Combine(scene.Daemon.DataRoot, volume, Log));

    /// <summary>From its one start until now it wrote every number, in order, without an error.</summary>
    public static async Task NeverNoticedAsync(DockerUser user, string container, string path)
    {
        await GoesOnAsync(path);
        var numbers = await File.ReadAllLinesAsync(path);
        Assert.Equal(Enumerable.Range(1, numbers.Length).Select(number => $"{number}"), numbers);
        Assert.Equal("none", await user.DockerAsync($"exec {container} sh -c", "cat /tmp/errors 2>/dev/null || echo none"));
    }
}
