using System.Diagnostics;

namespace VolumeManager.Linux;

/// <summary>Programs of the distribution that are run as root.</summary>
internal static class SystemProgram
{
    static readonly string[] s_directories = ["/usr/sbin", "/usr/bin", "/sbin", "/bin"];

    /// <summary>How a program is started: from where the distribution puts programs, whatever PATH and the working directory are, with nothing of this process's environment.</summary>
    /// <param name="name">A file name, or an absolute path.</param>
    internal static ProcessStartInfo StartInfo(string name, IEnumerable<string> arguments)
    {
        var start = new ProcessStartInfo(Find(name), arguments)
        {
            UseShellExecute = false,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = "/",
        };
        start.Environment.Clear();
        start.Environment["PATH"] = string.Join(':', s_directories);
        start.Environment["LC_ALL"] = "C";
        return start;
    }

    /// <remarks>Where there is none the start fails, and says so.</remarks>
    static string Find(string name) => s_directories.Select(directory => Path.Combine(directory, name)).FirstOrDefault(File.Exists) ?? Path.Combine(s_directories[0], name);
}
