namespace VolumeManager.Tests.Linux;

/// <summary>A test that needs a C compiler; where there is none it is shown as skipped.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class CompilerFactAttribute : FactAttribute
{
    public CompilerFactAttribute()
    {
        var found = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':').Any(folder => File.Exists(Path.Combine(folder, "gcc")));
        if (!found) Skip = "there is no gcc: install a C compiler to compare the constants with its headers";
    }
}
