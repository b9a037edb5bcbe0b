namespace VolumeManager.Sbom;

/// <summary>A package of Debian's that the host must have.</summary>
internal sealed record Debian(string Name, string Constraint, string Purl)
{
    internal static Debian[] Parse(string depends) =>
    [
        .. depends.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries)
            .Select(text => (Name: text.Split('|', 2)[0].Split('(', 2)[0].Trim().Split(':')[0], Text: text))
            .Select(needed => new Debian(needed.Name, needed.Text, $"pkg:deb/debian/{needed.Name}")),
    ];
}
