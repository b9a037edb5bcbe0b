using System.Globalization;

namespace VolumeManager.Hosts;

/// <summary>An engine as the kernel knows it: a process that lives once, whatever others get its number later.</summary>
/// <param name="Started">When it started, in clock ticks since the boot (proc_pid_stat(5)).</param>
internal sealed record EngineProcess(int Id, ulong Started)
{
    internal bool IsAlive => Find(Id) == this;

    /// <returns>Null when there is no such process, or it cannot be seen from here.</returns>
    internal static EngineProcess? Find(int id)
    {
        try
        {
            // The name of the program, in brackets, may hold anything; state is the third field, the start the 22nd.
            var stat = File.ReadAllText($"/proc/{id}/stat");
            var fields = stat[(stat.LastIndexOf(')') + 2)..].Split(' ');
            // A zombie serves nobody.
            return fields[0] is "Z" or "X" ? null : new EngineProcess(id, ulong.Parse(fields[19], CultureInfo.InvariantCulture));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    /// <returns>The one that was kept in this boot; null when there is none, or it cannot be read.</returns>
    internal static EngineProcess? Read(string file, string bootId)
    {
        try
        {
            return File.ReadAllText(file).Split(' ') is [var boot, var id, var started] && boot == bootId
                && int.TryParse(id, NumberStyles.None, CultureInfo.InvariantCulture, out var number)
                && ulong.TryParse(started, NumberStyles.None, CultureInfo.InvariantCulture, out var ticks)
                ? new EngineProcess(number, ticks)
                : null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    internal void Write(string file, string bootId) => Linux.DurableFile.Write(file, string.Create(CultureInfo.InvariantCulture, $"{bootId} {Id} {Started}"));
}
