using System.Text.RegularExpressions;
using VolumeManager.Tests.Clusters;

namespace VolumeManager.Tests.Doctor;

/// <summary>The codes that docs/doctor.md lists.</summary>
internal static partial class DocumentedCodes
{
    internal static IReadOnlyList<string> All { get; } =
    [
        .. File.ReadLines(MigrationTests.RepositoryRoot() + "/docs/doctor.md").SkipWhile(line => line != "## Codes").Where(line => line.StartsWith("| `", StringComparison.Ordinal))
            .SelectMany(line => Quoted().Matches(line.Split('|')[1])).Select(m => m.Groups["code"].Value),
    ];

    [GeneratedRegex("`(?<code>[a-z-]+)`", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 10_000)]
    private static partial Regex Quoted();
}
