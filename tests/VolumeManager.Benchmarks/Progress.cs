using System.Diagnostics;

namespace VolumeManager.Benchmarks;

/// <summary>What goes to stderr while something takes long.</summary>
internal static class Progress
{
    static readonly long Began = Stopwatch.GetTimestamp();

    internal static void Say(string text) => Console.Error.WriteLine($"[{Stopwatch.GetElapsedTime(Began).TotalSeconds,6:0.0} s] {text}");
}
