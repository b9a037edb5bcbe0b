using System.Globalization;

namespace VolumeManager.Volumes;

/// <summary>Sizes as users write them: <c>10G</c>, <c>512MiB</c>, <c>1048576</c>. Units are powers of 1024, as of the engine's own <c>size</c> options.</summary>
internal static class ByteSize
{
    const string Units = "KMGTPE";

    /// <returns>Bytes, at least 1; null for what is no size.</returns>
    internal static long? Parse(string text)
    {
        var digits = text.AsSpan().TrimEnd("iBbkKmMgGtTpPeE");
        var unit = text.AsSpan(digits.Length);
        if (!long.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out var number) || number < 1) return null;
        var power = unit.Length == 0 ? -1 : Units.IndexOf(char.ToUpperInvariant(unit[0]), StringComparison.Ordinal);
        var rest = power < 0 ? unit : unit[1..];
        if (rest is not ("" or "B" or "b" or "iB" or "ib") || (power < 0 && rest is "iB" or "ib")) return null;
        var factor = 1L << (10 * (power + 1));
        return number <= long.MaxValue / factor ? number * factor : null;
    }

    /// <summary>For people: three digits, such as <c>1.2G</c>.</summary>
    internal static string Text(long bytes)
    {
        var (value, power) = ((double)bytes, -1);
        for (; value >= 999.5 && power < Units.Length - 1; power++) value /= 1024;
        return power < 0 ? $"{bytes}" : value.ToString(value < 9.95 ? "0.0" : "0", CultureInfo.InvariantCulture) + Units[power];
    }
}
