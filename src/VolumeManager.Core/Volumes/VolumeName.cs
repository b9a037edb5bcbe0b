namespace VolumeManager.Volumes;

/// <summary>
/// What a volume may be called. The engine checks no name of a plugin's volume (moby volume/mounts/linux_parser.go): <c>../../etc</c> arrives as it was typed.
/// </summary>
internal static class VolumeName
{
    const int MaxLength = 255;

    /// <summary><c>[a-zA-Z0-9][a-zA-Z0-9_.-]{0,254}</c>, the engine's own pattern for names of its local volumes.</summary>
    public static bool IsValid(string? name)
    {
        if (name is null || name.Length is 0 or > MaxLength || !char.IsAsciiLetterOrDigit(name[0])) return false;
        foreach (var c in name)
        {
            if (!char.IsAsciiLetterOrDigit(c) && c is not ('_' or '.' or '-')) return false;
        }

        return true;
    }

    /// <exception cref="VolumeException">The name is not valid.</exception>
    public static void Check(string? name)
    {
        if (!IsValid(name)) throw new VolumeException(Refusal(name));
    }

    /// <summary>Why a name is not valid.</summary>
    internal static string Refusal(string? name) => $"volume name {Quoted.Text(name)} is not allowed: {Rule}";

    internal static string Rule => $"use 1 to {MaxLength} of the characters a-z A-Z 0-9 _ . - and begin with a letter or digit";
}

/// <summary>Text that came from outside, made fit for a one-line message: quoted, without control characters, and cut.</summary>
internal static class Quoted
{
    internal static string Text(string? text) => text is null
        ? "(none)"
        : '"' + string.Concat(text.Take(64).Select(c => char.IsControl(c) || char.IsSurrogate(c) ? '?' : c)) + (text.Length > 64 ? "…\"" : "\"");
}
