namespace VolumeManager.Benchmarks.Reports;

/// <summary>How numbers are written in the tables.</summary>
internal static class Figures
{
    internal const string None = "–";

    internal static string Micros(TimeSpan time) => Rounded(time.TotalMicroseconds);

    internal static string Millis(TimeSpan time) => Rounded(time.TotalMilliseconds);

    internal static string Megabytes(long bytes) => Rounded(bytes / 1e6);

    internal static string Rounded(double value) => value switch
    {
        < 1 => $"{value:0.00}",
        < 100 => $"{value:0.0}",
        _ => $"{value:#,0}",
    };

    /// <summary>A figure that a missing server may not have.</summary>
    internal static string OrNone<T>(T? measured, Func<T, string> write) where T : class => measured is null ? None : write(measured);
}
