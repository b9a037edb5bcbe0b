namespace VolumeManager.Tests.Mounts;

/// <summary>A process in a mount namespace of its own that has a volume mounted elsewhere, as a container has.</summary>
internal static class HoldingProcess
{
    internal static Task<RunningProgram> StartAsync(string source, string at)
    {
        Directory.CreateDirectory(at);
        return RunAsync("mount --bind \"$0\" \"$1\" && umount \"$0\"", source, at);
    }

    /// <param name="script">Makes its mounts.</param>
    internal static async Task<RunningProgram> RunAsync(string script, params string[] arguments)
    {
        var process = new RunningProgram("container", new("unshare", ["--mount", "--propagation", "private", "sh", "-c", $"{script} && echo held && exec sleep 600", .. arguments]));
        await process.UntilLoggedAsync("held");
        return process;
    }
}
