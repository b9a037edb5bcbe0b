namespace VolumeManager.EndToEnd.Lab;

/// <summary>A test that needs the laboratory, which `tests/lab/lab build` makes.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class LabFactAttribute : FactAttribute
{
    public LabFactAttribute()
    {
        if (!File.Exists("/dev/net/tun")) Skip = "no /dev/net/tun: a user-mode kernel needs it for its network";
    }
}
