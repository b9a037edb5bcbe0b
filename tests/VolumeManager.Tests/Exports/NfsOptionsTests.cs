using VolumeManager.Exports;
using VolumeManager.Linux;

namespace VolumeManager.Tests.Exports;

[Trait("Catalog", "none")]
public class NfsOptionsTests
{
    static string Text(params string[] text) => NfsOptions.Parse(text).Text;

    static string Refused(string text) => Assert.Throws<FormatException>(() => NfsOptions.Check(text)).Message;

    [Fact]
    public void Without_options_a_mount_is_hard_and_of_version_4_2() => Assert.Equal("hard,noatime,vers=4.2", Text());

    [Fact]
    public void The_later_text_wins_and_one_of_alternatives_is_in_force()
    {
        Assert.Equal("noatime,soft,timeo=20,vers=4.1", Text("vers=3,timeo=10", "vers=4.1,hard,soft,timeo=20"));
        Assert.Equal("atime,hard,vers=4.2", Text("relatime,atime"));
    }

    [Fact]
    public void Equal_options_have_one_spelling_whatever_their_order()
    {
        Assert.Equal(Text("rsize=65536,nconnect=4"), Text(" nconnect=04 ,, rsize=65536,hard"));
        Assert.Equal(Text("vers=4.1"), Text("nfsvers=4.1"));
    }

    [Theory]
    [InlineData("port=1", "port=65535", "port=0", "port=65536")]
    [InlineData("rsize=1024", "rsize=1048576", "rsize=1023", "rsize=1048577")]
    [InlineData("wsize=1024", "wsize=1048576", "wsize=1023", "wsize=1048577")]
    [InlineData("timeo=1", "timeo=6000", "timeo=0", "timeo=6001")]
    [InlineData("retrans=0", "retrans=100", "retrans=-1", "retrans=101")]
    [InlineData("nconnect=1", "nconnect=16", "nconnect=0", "nconnect=17")]
    [InlineData("acregmin=0", "acregmax=86400", "acdirmin=86401", "acdirmax=x")]
    [InlineData("actimeo=0", "actimeo=86400", "actimeo=", "actimeo=1.5")]
    public void Numbers_have_a_range(string lowest, string highest, string below, string above)
    {
        Assert.Contains(lowest, Text(lowest), StringComparison.Ordinal);
        Assert.Contains(highest, Text(highest), StringComparison.Ordinal);
        foreach (var text in new[] { below, above }) Assert.Contains($"has \"{text}\": write {text.Split('=')[0]}= and a number from ", Refused(text), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("vers=2")]
    [InlineData("vers=4.3")]
    [InlineData("vers=")]
    [InlineData("proto=udp")]
    [InlineData("sec=none")]
    [InlineData("lookupcache=ALL")]
    [InlineData("local_lock=some")]
    public void Choices_are_listed(string text) => Assert.Contains($"has \"{text}\": use {text.Split('=')[0]}= and one of ", Refused(text), StringComparison.Ordinal);

    [Theory]
    [InlineData("addr=10.0.0.1")]
    [InlineData("mountaddr=10.0.0.1")]
    [InlineData("clientaddr=10.0.0.1")]
    [InlineData("mountport=1")]
    [InlineData("fsc")]
    [InlineData("suid")]
    [InlineData("dev")]
    [InlineData("bg")]
    [InlineData("remount")]
    [InlineData("context=x")]
    [InlineData("hard=1")]
    [InlineData("vers")]
    [InlineData("=")]
    [InlineData("HARD")]
    [InlineData("nolock\0")]
    public void What_is_not_on_the_list_is_refused_by_name(string text)
    {
        var message = Refused("hard," + text + ",noatime");
        Assert.Contains("which is not allowed", message, StringComparison.Ordinal);
        Assert.Contains(text.TrimEnd('\0'), message, StringComparison.Ordinal);
        Assert.DoesNotContain(message, char.IsControl);
    }

    [Fact]
    public void Locks_are_left_out_for_version_3_only()
    {
        Assert.Contains("nolock", Text("vers=3,nolock"), StringComparison.Ordinal);
        Assert.Contains("nolock, which is for vers=3", Refused("nolock"), StringComparison.Ordinal);
        Assert.True(NfsOptions.Check("nolock", host: "vers=3").IsVersion3);
        // The host's nolock was for its own version, and says nothing about the volume's.
        Assert.Equal("hard,noatime,vers=4.1", NfsOptions.Check("vers=4.1", host: "vers=3,nolock").Text);
        Assert.Equal("hard,noatime,vers=4.2", Text("", "nolock"));
    }

    [Fact]
    public void The_kernel_is_given_flags_as_flags_and_the_rest_as_text()
    {
        var options = NfsOptions.Parse("noexec,port=2050,vers=4.1");
        Assert.Equal(LibC.MS_NOSUID | LibC.MS_NODEV | LibC.MS_NOATIME | LibC.MS_NOEXEC, options.Flags);
        Assert.Equal(("hard,port=2050,vers=4.1", 2050), (options.Data, options.Port));
        Assert.Equal((LibC.MS_NOSUID | LibC.MS_NODEV, 2049), (NfsOptions.Parse("atime").Flags, NfsOptions.Parse("").Port));
    }
}
