using VolumeManager.Volumes;

namespace VolumeManager.Tests.Volumes;

[Trait("Catalog", "none")]
public class VolumeNameTests
{
    [Theory]
    [InlineData("a")]
    [InlineData("Z")]
    [InlineData("0")]
    [InlineData("a.b_c-d")]
    [InlineData("a.")]
    [InlineData("a..b")]
    public void The_engines_own_pattern_is_valid(string name) => Assert.True(VolumeName.IsValid(name));

    [Theory]
    [InlineData(255, true)]
    [InlineData(256, false)]
    public void A_name_has_at_most_255_characters(int length, bool valid) => Assert.Equal(valid, VolumeName.IsValid(new string('a', length)));

    public static TheoryData<string?> Invalid => new(
        null, "", ".", "..", ".a", "-a", "_a", "/", "a/b", "../a", "a b", "a\0", "\0a", "a\n", "a:b", "a\\b", "ä", "aä", "日本", "٣", "a\u200b", "a\ud800", "ａ", "\u212a");

    [Theory]
    [MemberData(nameof(Invalid))]
    public void Anything_else_is_refused_in_one_line(string? name)
    {
        Assert.False(VolumeName.IsValid(name));
        var error = Assert.Throws<VolumeException>(() => VolumeName.Check(name)).Message;
        Assert.StartsWith("volume name ", error, StringComparison.Ordinal);
        Assert.DoesNotContain(error, char.IsControl);
        Assert.DoesNotContain(error, char.IsSurrogate);
    }

    [Theory]
    [InlineData(null, "(none)")]
    [InlineData("", "\"\"")]
    [InlineData("a", "\"a\"")]
    [InlineData("a\nb\0", "\"a?b?\"")]
    [InlineData("🐳", "\"??\"")]
    public void Foreign_text_is_quoted_and_made_harmless(string? text, string quoted) => Assert.Equal(quoted, Quoted.Text(text));

    [Fact]
    public void Long_foreign_text_is_cut() => Assert.Equal($"\"{new string('a', 64)}…\"", Quoted.Text(new string('a', 65)));
}
