namespace VolumeManager.EndToEnd.Daemons;

/// <summary>The published daemon under test: VOLMAN_BIN, or what `dotnet publish` put under artifacts/.</summary>
internal static class DaemonBinary
{
    const string Variable = "VOLMAN_BIN";
    static readonly Lazy<string> s_path = new(Locate);

    public static string Path => s_path.Value;

    public static string Folder => System.IO.Path.GetDirectoryName(Path)!;

    /// <summary>Where this test's own .NET lies: …/shared/Microsoft.NETCore.App/10.0.x is three folders below.</summary>
    public static string DotnetRoot { get; } =
        System.IO.Path.GetFullPath(System.IO.Path.Combine(System.Runtime.InteropServices.RuntimeEnvironment.GetRuntimeDirectory(), "../../.."));

    static string Locate()
    {
        const string build = "dotnet publish src/VolumeManager -c Release -p:PublishProfile=Package -o artifacts/volman";
        var given = Environment.GetEnvironmentVariable(Variable);
        var path = System.IO.Path.GetFullPath(given ?? System.IO.Path.Combine(RepositoryRoot(), "artifacts/volman/volman"));
        return File.Exists(path) ? path : throw new FileNotFoundException($"There is no daemon to test at {path}: run `{build}`, or set {Variable}.");
    }

    public static string RepositoryRoot()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(System.IO.Path.Combine(folder.FullName, "VolumeManager.sln")))
                return folder.FullName;
        }
        throw new DirectoryNotFoundException($"No VolumeManager.sln above {AppContext.BaseDirectory}: set {Variable}.");
    }
}
