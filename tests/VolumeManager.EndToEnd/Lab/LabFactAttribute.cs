using System.Diagnostics;

namespace VolumeManager.EndToEnd.Lab;

/// <summary>A test that needs the laboratory, which <c>tests/lab/lab build</c> makes, or shows why that is not possible here.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class LabFactAttribute : FactAttribute
{
    static readonly Lazy<string?> s_whyNot = new(WhyNot);

    public LabFactAttribute() => Skip = s_whyNot.Value;

    static string? WhyNot()
    {
        if (!Environment.IsPrivilegedProcess) return "Needs root: it makes a network.";
        if (!File.Exists("/dev/net/tun")) return "Needs /dev/net/tun for its network.";
        using var question = Process.Start(new ProcessStartInfo(Laboratory.Script, ["path"]) { UseShellExecute = false, RedirectStandardOutput = true, RedirectStandardError = true })!;
        var why = question.StandardError.ReadToEnd();
        question.WaitForExit();
        return question.ExitCode == 0 ? null : why.Trim();
    }
}
