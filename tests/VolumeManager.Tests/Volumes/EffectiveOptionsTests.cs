using VolumeManager.Volumes;

namespace VolumeManager.Tests.Volumes;

[Trait("Catalog", "none")]
public class EffectiveOptionsTests
{
    static readonly Volume Plain = new()
    {
        Id = Guid.Empty,
        Name = "v",
        Backend = "local",
        Directory = "v",
        Mode = 0x1ED,
        CreatedAt = DateTime.UnixEpoch,
        CreatedOnHost = "h",
    };

    static string Text(Volume volume) => string.Join(' ', EffectiveOptions.Of(volume).Select(o => $"{o.Key}={o.Value}"));

    [Fact]
    public void Defaults_are_told_too() => Assert.Equal("access=shared backend=local gid=0 mode=0755 on-remove=trash uid=0", Text(Plain));

    [Fact]
    public void Values_are_in_one_spelling() => Assert.Equal(
        "access=single-caller backend=local gid=7 mode=01777 on-remove=delete size=10737418240 uid=4294967294",
        Text(Plain with { Access = AccessMode.SingleCaller, Gid = 7, Uid = 4294967294, Mode = 0x3FF, OnRemove = OnRemove.Delete, SizeBytes = 10L << 30 }));

    [Fact]
    public void An_adopted_directory_has_a_path_and_its_own_owner_and_mode() =>
        Assert.Equal("access=shared backend=local on-remove=retain path=a/b", Text(Plain with { Adopted = true, Directory = "a/b", OnRemove = OnRemove.Retain }));

    [Fact]
    public void The_same_volume_has_no_difference_whoever_made_it_when() => Assert.Equal(
        "",
        EffectiveOptions.Difference(Plain, Plain with { Id = Guid.NewGuid(), CreatedAt = DateTime.UnixEpoch.AddDays(1), CreatedOnHost = "other", Epoch = 9, State = VolumeState.Removing }));

    [Fact]
    public void Every_difference_is_named_both_ways()
    {
        var other = Plain with { Mode = 0x1C0, SizeBytes = 5, Labels = new Dictionary<string, string> { ["a"] = "1" } };
        Assert.Equal("label.a is unset, not \"1\", mode is \"0755\", not \"0700\", size is unset, not \"5\"", EffectiveOptions.Difference(Plain, other));
        Assert.Equal("label.a is \"1\", not unset, mode is \"0700\", not \"0755\", size is \"5\", not unset", EffectiveOptions.Difference(other, Plain));
    }

    [Fact]
    public void Adopting_is_another_volume() => Assert.Equal(
        "gid is \"0\", not unset, mode is \"0755\", not unset, path is unset, not \"v\", uid is \"0\", not unset",
        EffectiveOptions.Difference(Plain, Plain with { Adopted = true }));

    [Fact]
    public void Foreign_text_in_a_difference_is_made_harmless()
    {
        var other = Plain with { Labels = new Dictionary<string, string> { ["a"] = "x\n" + new string('y', 5000) } };
        var difference = EffectiveOptions.Difference(Plain, other);
        Assert.DoesNotContain(difference, char.IsControl);
        Assert.InRange(difference.Length, 1, 200);
    }

    [Fact]
    public void A_volume_on_NFS_tells_server_and_export_and_its_own_options()
    {
        var nfs = Plain with { Backend = "nfs", Server = "nas", Export = "/a" };
        Assert.Equal("access=shared backend=nfs export=/a gid=0 mode=0755 on-remove=trash server=nas uid=0", Text(nfs));
        var own = nfs with { Options = new Dictionary<string, string> { ["nfsopts"] = "soft" } };
        Assert.Contains("nfsopts=soft", Text(own), StringComparison.Ordinal);
        Assert.Equal("nfsopts is unset, not \"soft\", server is \"nas\", not \"nas2\"", EffectiveOptions.Difference(nfs, own with { Server = "nas2" }));
    }
}
