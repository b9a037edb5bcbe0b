namespace VolumeManager.Tests.Hosts;

/// <summary>A test that runs a daemon under a wrong clock, which libfaketime pretends; where that is missing it is shown as skipped.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class FakeTimeTheoryAttribute : TheoryAttribute
{
    public FakeTimeTheoryAttribute()
    {
        if (Library is null) Skip = "there is no libfaketime: install the Debian package faketime to run daemons under a wrong clock";
    }

    /// <summary>What is loaded before all else into the process.</summary>
    internal static string? Library { get; } = Directory.Exists("/usr/lib")
        ? Directory.EnumerateDirectories("/usr/lib").Append("/usr/lib").Select(folder => Path.Combine(folder, "faketime/libfaketimeMT.so.1")).FirstOrDefault(File.Exists)
        : null;
}
