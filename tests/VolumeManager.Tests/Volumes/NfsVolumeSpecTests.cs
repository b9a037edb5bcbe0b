using VolumeManager.Volumes;

namespace VolumeManager.Tests.Volumes;

/// <summary>The options of the backend nfs: what comes from the settings, and what does not.</summary>
[Trait("Catalog", "none")]
public class NfsVolumeSpecTests
{
    static readonly Settings s_nfs = new() { Backend = "nfs", NfsServer = "nas", NfsExport = "/volumes" };

    static VolumeSpec Parse(Settings settings, params (string Key, string? Value)[] options) =>
        VolumeSpec.Parse(options.ToDictionary(o => o.Key, o => o.Value, StringComparer.Ordinal), settings);

    static string Refused(Settings settings, params (string Key, string? Value)[] options) => Assert.Throws<VolumeException>(() => Parse(settings, options)).Message;

    static (string, string, string) Place(VolumeSpec spec) => (spec.Backend, spec.Server, spec.Export);

    [Fact]
    public void Without_options_the_settings_are_in_force()
    {
        Assert.Equal(("nfs", "nas", "/volumes"), Place(Parse(s_nfs)));
        Assert.Equal(("nfs", "nas", "/volumes"), Place(Parse(s_nfs with { Backend = "local" }, ("backend", "nfs"))));
        Assert.Equal(("local", "", ""), Place(Parse(s_nfs, ("backend", "local"))));
    }

    [Fact]
    public void What_a_volume_says_is_over_the_settings_in_one_spelling()
    {
        Assert.Equal(("nfs", "nas", "/other"), Place(Parse(s_nfs, ("export", "/other/"))));
        Assert.Equal(("nfs", "fd00::1", "/a"), Place(Parse(s_nfs, ("server", "[FD00::1]"), ("export", "//a"))));
    }

    [Fact]
    public void The_default_export_is_the_default_servers_only()
    {
        Assert.StartsWith("backend nfs needs an export: ", Refused(s_nfs, ("server", "nas2")), StringComparison.Ordinal);
        Assert.StartsWith("backend nfs needs an export: ", Refused(s_nfs with { NfsExport = "" }), StringComparison.Ordinal);
        Assert.StartsWith("backend nfs needs a server: ", Refused(new Settings(), ("backend", "nfs"), ("export", "/a")), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("server", "nas")]
    [InlineData("export", "/a")]
    [InlineData("nfsopts", "soft")]
    public void The_backend_local_has_none_of_them(string key, string value) =>
        Assert.Equal($"option {key} is for the backend nfs: add backend=nfs, or leave it out", Refused(s_nfs, ("backend", "local"), (key, value)));

    [Theory]
    [InlineData("backend", "NFS", "option backend is \"NFS\": use one of local, nfs")]
    [InlineData("server", "nas:/a", "option server is \"nas:/a\": write a host name or an IP address")]
    [InlineData("export", "../a", "option export is \"../a\": write the absolute path that the server exports")]
    [InlineData("nfsopts", "addr=1.2.3.4", "option nfsopts has \"addr=1.2.3.4\", which is not allowed: use ")]
    [InlineData("nfsopts", "nolock", "option nfsopts has nolock, which is for vers=3: leave it out")]
    public void A_value_that_is_not_allowed_is_refused_by_name(string key, string value, string message) =>
        Assert.StartsWith(message, Refused(s_nfs, (key, value)), StringComparison.Ordinal);

    [Fact]
    public void NFS_options_are_checked_over_the_hosts_own()
    {
        var spec = Parse(s_nfs with { NfsOptions = "vers=3" }, ("nfsopts", "nolock"));
        Assert.Equal("nolock", spec.Options["nfsopts"]);
    }

    [Fact]
    public void An_existing_directory_of_the_export_may_be_adopted() =>
        Assert.Equal(("legacy/app", OnRemove.Retain), (Parse(s_nfs, ("path", "legacy/app")).Path, Parse(s_nfs, ("path", "legacy/app")).OnRemove));
}
