using System.Net;
using System.Net.Sockets;
using System.Text;

namespace VolumeManager.Exports;

/// <summary>How a user writes an NFS server and what it exports, checked and in one spelling.</summary>
internal static class NfsAddress
{
    /// <returns>A host name in lower case or an IP address without brackets; null when it is neither.</returns>
    internal static string? Server(string text)
    {
        var bare = text.StartsWith('[') && text.EndsWith(']') ? text[1..^1] : text;
        // A zone is this host's own; brackets within are those of a port.
        if (bare.AsSpan().ContainsAny('[', ']', '%')) return null;
        if (IPAddress.TryParse(bare, out var address))
        {
            // Also "1", "1.2" and "010.0.0.1" are addresses, but hardly the ones that were meant.
            return address.AddressFamily == AddressFamily.InterNetworkV6 || address.ToString() == bare ? address.ToString() : null;
        }

        var isName = bare.Length is > 0 and <= 253
            && bare.Split('.').All(label => label.Length is > 0 and <= 63 && label[0] != '-' && label[^1] != '-' && label.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_'));
        return isName ? bare.ToLowerInvariant() : null;
    }

    /// <summary>Server and path as mount(8) shows them.</summary>
    internal static string Source(string server, string path) => server.Contains(':', StringComparison.Ordinal) ? $"[{server}]:{path}" : $"{server}:{path}";

    /// <returns>An absolute path without doubled or closing slashes; null when it is none, or leads upwards.</returns>
    internal static string? Export(string text)
    {
        if (!text.StartsWith('/') || Encoding.UTF8.GetByteCount(text) > 1024 || text.Any(char.IsControl)) return null;
        var components = text.Split('/', StringSplitOptions.RemoveEmptyEntries);
        return components.Any(c => c is "." or "..") ? null : "/" + string.Join('/', components);
    }
}
