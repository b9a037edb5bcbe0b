using System.Text.RegularExpressions;
using VolumeManager.Diagnosis;
using VolumeManager.Tests.Clusters;

namespace VolumeManager.Tests.Doctor;

/// <summary>
/// Damage of every kind that docs/doctor.md lists is planted by some test. No test declares what it plants: a code counts where it is named to one of the methods of
/// <see cref="Patient"/>, or to the laboratory's of the same names, and those fail when the doctor does not find it.
/// </summary>
[Trait("Catalog", "none")]
public sealed partial class PlantedCodesTests
{
    [GeneratedRegex("""^(?!\s*//).*\b(Heals|Tells|FindOne|FindAll|FindAlone)Async\("(?<code>[a-z-]+)", "(error|warning|note)""", RegexOptions.Multiline | RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 10_000)]
    private static partial Regex Asserted();

    [Fact]
    public void Every_code_is_found_by_a_test()
    {
        Assert.True(DocumentedCodes.All.Count > 50, "the list is not found");
        var sources = Directory.EnumerateFiles(MigrationTests.RepositoryRoot() + "/tests", "*.cs", SearchOption.AllDirectories).Where(f => !f.Contains("/obj/", StringComparison.Ordinal));
        var planted = sources.SelectMany(f => Asserted().Matches(File.ReadAllText(f))).Select(m => m.Groups["code"].Value).ToHashSet();
        Assert.Empty(DocumentedCodes.All.Except(planted));
        Assert.Empty(planted.Except(DocumentedCodes.All));
        Assert.Equal(DocumentedCodes.All.Order(StringComparer.Ordinal), Finding.Codes);
    }
}
