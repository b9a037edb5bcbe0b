using VolumeManager.Exports;

namespace VolumeManager.Tests.Exports;

[Trait("Catalog", "none")]
public class NfsAddressTests
{
    [Theory]
    [InlineData("nas", "nas")]
    [InlineData("NAS.Example.com", "nas.example.com")]
    [InlineData("nas_1-a", "nas_1-a")]
    [InlineData("10.0.0.1", "10.0.0.1")]
    [InlineData("fd00::1", "fd00::1")]
    [InlineData("[fd00::1]", "fd00::1")]
    [InlineData("FD00:0:0:0:0:0:0:1", "fd00::1")]
    [InlineData("::ffff:10.0.0.1", "::ffff:10.0.0.1")]
    public void A_server_has_one_spelling(string text, string server) => Assert.Equal(server, NfsAddress.Server(text));

    [Theory]
    [InlineData("")]
    [InlineData("[]")]
    [InlineData(".")]
    [InlineData("a..b")]
    [InlineData("nas.")]
    [InlineData("-nas")]
    [InlineData("nas-")]
    [InlineData("nas,addr=10.0.0.1")]
    [InlineData("nas:/export")]
    [InlineData("na s")]
    [InlineData("nas\n")]
    [InlineData("nas\0")]
    [InlineData("näs")]
    [InlineData("$(id)")]
    [InlineData("../nas")]
    [InlineData("1")]
    [InlineData("1.2.3")]
    [InlineData("010.0.0.1")]
    [InlineData("0x7f.1")]
    [InlineData("[10.0.0.1")]
    [InlineData("[fd00::1]:2049")]
    [InlineData("fe80::1%eth0")]
    [InlineData("fe80::1%2")]
    [InlineData("fd00::1::2")]
    public void What_is_no_server_is_none(string text) => Assert.Null(NfsAddress.Server(text));

    [Fact]
    public void Names_and_their_parts_have_a_length()
    {
        Assert.NotNull(NfsAddress.Server(new string('a', 63)));
        Assert.Null(NfsAddress.Server(new string('a', 64)));
        Assert.Null(NfsAddress.Server(string.Join('.', Enumerable.Repeat(new string('a', 63), 4))));
    }

    [Theory]
    [InlineData("/", "/")]
    [InlineData("//", "/")]
    [InlineData("/srv/volumes", "/srv/volumes")]
    [InlineData("/srv//volumes/", "/srv/volumes")]
    [InlineData("/with space/ünïcode,a", "/with space/ünïcode,a")]
    [InlineData("/.hidden", "/.hidden")]
    public void An_export_has_one_spelling(string text, string export) => Assert.Equal(export, NfsAddress.Export(text));

    [Theory]
    [InlineData("")]
    [InlineData("srv")]
    [InlineData("/srv/../etc")]
    [InlineData("/.")]
    [InlineData("/srv/..")]
    [InlineData("/srv\n")]
    [InlineData("/srv\0")]
    public void What_is_no_export_is_none(string text) => Assert.Null(NfsAddress.Export(text));

    [Fact]
    public void An_export_has_a_length()
    {
        Assert.NotNull(NfsAddress.Export("/" + new string('a', 1023)));
        Assert.Null(NfsAddress.Export("/" + new string('a', 1024)));
    }
}
