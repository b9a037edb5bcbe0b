using System.Buffers.Binary;
using System.Globalization;
using System.Net.Sockets;

namespace VolumeManager.Linux;

/// <summary>Who connected to a unix socket, as the kernel says (SO_PEERCRED of unix(7)).</summary>
/// <param name="Process">0 for one in a process namespace that is not seen from here.</param>
internal sealed record PeerCredentials(int Process, uint User)
{
    const int SOL_SOCKET = 1;
    const int SO_PEERCRED = 17;

    /// <returns>Null when the socket is none of that kind.</returns>
    internal static PeerCredentials? Of(Socket end)
    {
        // struct ucred: pid, uid, gid (unix(7)).
        Span<byte> peer = stackalloc byte[12];
        return end.GetRawSocketOption(SOL_SOCKET, SO_PEERCRED, peer) == peer.Length
            ? new PeerCredentials(BinaryPrimitives.ReadInt32LittleEndian(peer), BinaryPrimitives.ReadUInt32LittleEndian(peer[4..]))
            : null;
    }

    /// <summary>The user for the history: <c>root (uid 0)</c>.</summary>
    public override string ToString() => NameOf(User) is { } name ? $"{name} (uid {User})" : $"uid {User}";

    // name:password:uid:… (passwd(5)). Root alone may connect, and is in this file on every host.
    static string? NameOf(uint user)
    {
        try
        {
            return File.ReadLines("/etc/passwd").Select(line => line.Split(':', 4)).FirstOrDefault(fields => fields.Length == 4 && fields[2] == user.ToString(CultureInfo.InvariantCulture))?[0];
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }
}
