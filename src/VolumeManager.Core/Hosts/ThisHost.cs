namespace VolumeManager.Hosts;

/// <summary>Who we are: what every claim and event is signed with.</summary>
internal sealed record ThisHost(Guid Id, string Name, string BootId, string MountRoot, EngineGeneration Engine)
{
    /// <summary>A random UUID that the kernel makes at each boot (random(4)).</summary>
    internal static string ReadBootId(string file) => File.ReadAllText(file).Trim();
}
