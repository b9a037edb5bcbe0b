namespace VolumeManager.EndToEnd.Engines;

/// <summary>The root file system that an engine's programs come from, and what it lacks.</summary>
internal static class EngineRoot
{
    const string Variable = "VOLMAN_E2E_ENGINE_ROOT_28";
    static readonly string[] s_host = ["unshare", "nsenter", "sqlite3"];
    static readonly string[] s_engine = ["dockerd", "docker", "containerd", "containerd-shim-runc-v2", "runc", "busybox"];
    static readonly string[] s_folders = ["usr/sbin", "usr/bin", "usr/local/sbin", "usr/local/bin", "sbin", "bin"];

    public static string Of(EngineKind kind) => kind == EngineKind.Installed ? "/" : Environment.GetEnvironmentVariable(Variable) ?? "";

    /// <summary>Null when the tests can run.</summary>
    public static string? WhyNot(EngineKind kind)
    {
        var root = Of(kind);
        if (!Environment.IsPrivilegedProcess)
            return "Needs root: it mounts and starts engines.";
        if (root.Length == 0)
            return $"{Variable} names no folder with a Docker 28 root file system.";
        string[] missing = [.. s_host.Where(name => Find("/", name) is null), .. s_engine.Where(name => Find(root, name) is null)];
        return missing.Length == 0 ? null : $"Missing here or in {root}: {string.Join(", ", missing)}.";
    }

    public static string? Find(string root, string program) =>
        s_folders.Select(folder => Path.Combine(root, folder, program)).FirstOrDefault(File.Exists);
}
