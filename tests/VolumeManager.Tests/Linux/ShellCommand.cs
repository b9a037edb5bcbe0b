namespace VolumeManager.Tests.Linux;

/// <summary>Short commands of the system.</summary>
internal static class ShellCommand
{
    internal static Task<string> BindAsync(string source, string target) => Command.OutputOfAsync("mount", "--bind", source, target);

    /// <summary>Owner, group and octal mode, such as <c>0:0 755</c>.</summary>
    internal static Task<string> OwnerAndModeAsync(string path) => Command.OutputOfAsync("stat", "-c", "%u:%g %a", path);
}
