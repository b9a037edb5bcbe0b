using System.Net.Sockets;
using VolumeManager.Linux;

namespace VolumeManager.Commands;

/// <summary>A unix socket where we are found: by the engine, or by volman's own commands. A stale file is taken over, a live daemon never; root alone may connect.</summary>
internal static class ListenSocket
{
    /// <param name="flag">The setting that names another path.</param>
    /// <exception cref="VolumeException">Another daemon answers there, or the path cannot be used.</exception>
    internal static Socket Bind(string path, string flag)
    {
        // sun_path holds 108 bytes with its closing zero (unix(7)); the temporary name must fit too.
        if (System.Text.Encoding.UTF8.GetByteCount(path) > 103) throw new VolumeException($"the socket path {path} is longer than 103 bytes: choose a shorter {flag}");
        try
        {
            Directory.CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(path))!);
            if (IsLive(path, flag)) throw new VolumeException($"another daemon answers on {path}: stop it, or choose another {flag}");
            // Bound under another name and renamed: nobody sees a socket that does not listen yet or that others may use, and nobody sees none.
            var partial = path + ".new";
            File.Delete(partial);
            var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
            socket.Bind(new UnixDomainSocketEndPoint(partial));
            File.SetUnixFileMode(partial, UnixFileMode.UserRead | UnixFileMode.UserWrite);
            socket.Listen(512);
            File.Move(partial, path, overwrite: true);
            return socket;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or SocketException)
        {
            throw new VolumeException($"the socket {path} cannot be made ({e.Message}): see to its directory, or choose another {flag}", e);
        }
    }

    /// <summary>Removes the socket at the end: a file that nobody answers delays each <c>docker volume ls</c> by 15 s.</summary>
    internal static void Remove(string path) => File.Delete(path);

    static bool IsLive(string path, string flag)
    {
        if (LibC.Statx(LibC.AT_FDCWD, path, flags: 0, LibC.STATX_TYPE, out var found) < 0) return false;
        if ((found.Mode & LibC.S_IFMT) != LibC.S_IFSOCK) throw new VolumeException($"the socket {path} cannot be made (something else is there): move it away, or choose another {flag}");
        using var probe = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            probe.Connect(new UnixDomainSocketEndPoint(path));
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }
}
