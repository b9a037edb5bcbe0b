using System.Text.RegularExpressions;
using VolumeManager.Tests.Clusters;

namespace VolumeManager.Tests;

/// <summary>Rules of the source that no analyzer knows.</summary>
public sealed partial class SourceRulesTests
{
    /// <summary>Of two files the generator of log messages takes now the one first and now the other, and no two builds are the same.</summary>
    [Fact, Trait("Catalog", "none")]
    public void The_log_messages_of_a_class_are_in_one_file()
    {
        var holders = Directory.EnumerateFiles(Path.Combine(MigrationTests.RepositoryRoot(), "src"), "*.cs", SearchOption.AllDirectories)
            .Select(path => (Path: path, Text: File.ReadAllText(path)))
            .Where(file => file.Text.Contains("[LoggerMessage(", StringComparison.Ordinal))
            .Select(file => (Class: PartialClass().Match(file.Text).Value, Name: Path.GetFileName(file.Path)))
            .ToList();
        Assert.True(holders.Count > 10, "the messages are not found any more: look at this test");
        Assert.DoesNotContain(holders, file => file.Class == "");
        Assert.Empty(holders.GroupBy(file => file.Class).Where(files => files.Count() > 1).Select(files => $"{files.Key}: {string.Join(", ", files.Select(f => f.Name))}"));
    }

    [GeneratedRegex(@"\bpartial class \w+", RegexOptions.None, 1000)]
    private static partial Regex PartialClass();
}
