using System.Xml.Linq;
using VolumeManager.EndToEnd.Daemons;

namespace VolumeManager.EndToEnd.Packages;

/// <summary>The tools that releases are made with, run by tests.</summary>
internal static class ReleaseTools
{
    static readonly TimeSpan s_buildDeadline = TimeSpan.FromMinutes(15);

    // Of the `dotnet test` that runs us, and perhaps of another SDK than a tree asks for.
    static readonly string[] s_notInherited = ["MSBuildSDKsPath", "MSBuildExtensionsPath", "MSBUILD_EXE_PATH", "MSBuildLoadMicrosoftTargetsReadOnly"];

    // No build server may outlive a test.
    static readonly string[] s_environment =
    [
        "DOTNET_CLI_USE_MSBUILD_SERVER=0", "MSBUILDDISABLENODEREUSE=1", "UseSharedCompilation=false", "DOTNET_NOLOGO=1", "DOTNET_CLI_TELEMETRY_OPTOUT=1",
    ];

    /// <summary>The tree that the tests were built from.</summary>
    public static string Tree { get; } = DaemonBinary.RepositoryRoot();

    /// <summary>The version of the tree.</summary>
    public static string Version { get; } =
        XDocument.Load(Path.Combine(Tree, "Directory.Build.props")).Descendants("Version").Single().Value;

    /// <summary>The SDK's `dotnet` in a folder.</summary>
    public static Task<Command> DotnetAsync(string folder, params IEnumerable<string> arguments) =>
        BuildingAsync(folder, Path.Combine(DaemonBinary.DotnetRoot, "dotnet"), arguments);

    /// <summary>Runs a program that builds, in a folder.</summary>
    public static Task<Command> BuildingAsync(string folder, string program, params IEnumerable<string> arguments) => Command.RunAsync(s_buildDeadline, "env",
        ["--chdir", folder, .. s_notInherited.SelectMany(name => new[] { "--unset", name }), .. s_environment, program, .. arguments]);

    /// <summary>`git` in a tree.</summary>
    public static Task<Command> GitAsync(string tree, params IEnumerable<string> arguments) => Command.RunAsync(Poll.Patience, "git", ["-C", tree, .. arguments]);

    /// <summary>`volman` of some release.</summary>
    public static Task<Command> VolmanAsync(string program, params IEnumerable<string> arguments) =>
        Command.RunAsync(Poll.Patience, "env", [$"DOTNET_ROOT={DaemonBinary.DotnetRoot}", program, .. arguments]);

    /// <summary>What `volman --version` prints.</summary>
    public static async Task<string> VersionAsync(string program) => (await VolmanAsync(program, "--version")).MustSucceed().Output;
}
