using System.Text;

namespace VolumeManager.Linux;

/// <summary>Small files in directories that others can write: containers, other hosts, NFS servers.</summary>
internal static class ForeignFile
{
    /// <summary>Reads a file of a directory, if it is what it should be.</summary>
    /// <param name="name">One component.</param>
    /// <returns>Null when there is no such file, or it is no regular file of at most that many bytes. Nothing is followed, and nothing else is opened for reading: a FIFO
    /// would wait for its writer, and a device may do anything.</returns>
    /// <exception cref="LinuxException">The directory or the file cannot be read.</exception>
    internal static string? TryRead(string directory, string name, int maxBytes)
    {
        try
        {
            using var parent = LibC.Open(null, directory, LibC.O_PATH | LibC.O_DIRECTORY);
            using var found = LibC.Open(parent, name, LibC.O_PATH | LibC.O_NOFOLLOW);
            LibC.Check(LibC.Statx(found, "", LibC.AT_EMPTY_PATH, LibC.STATX_TYPE, out var status), "statx", $"{directory}/{name}");
            if ((status.Mode & LibC.S_IFMT) != LibC.S_IFREG) return null;
            using var file = LibC.Open(null, $"/proc/self/fd/{(int)found.DangerousGetHandle()}", LibC.O_RDONLY);
            Span<byte> bytes = stackalloc byte[maxBytes + 1];
            var length = RandomAccess.Read(file, bytes, 0);
            return length <= maxBytes ? Encoding.UTF8.GetString(bytes[..length]) : null;
        }
        catch (LinuxException e) when (e.Errno == LibC.ENOENT)
        {
            return null;
        }
    }
}
