using VolumeManager.Linux;

namespace VolumeManager.Tests.Linux;

/// <summary>Whoever can write in a directory may put anything where a small file is expected.</summary>
[Trait("Catalog", "none")]
public sealed class ForeignFileTests : IDisposable
{
    readonly ScratchFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void A_file_is_read()
    {
        File.WriteAllText(_folder.Of("f"), new string('x', 64));
        Assert.Equal(new string('x', 64), Read());
        File.WriteAllText(_folder.Of("f"), "");
        Assert.Equal("", Read());
    }

    [Fact]
    public void What_is_missing_or_too_long_is_none()
    {
        Assert.Null(Read());
        File.WriteAllText(_folder.Of("f"), new string('x', 65));
        Assert.Null(Read());
        using (var huge = new FileStream(_folder.Of("f"), FileMode.Create)) huge.SetLength(1L << 40);
        Assert.Null(Read());
    }

    [Theory]
    [InlineData("mkfifo f")]
    [InlineData("ln -s /dev/zero f")]
    [InlineData("ln -s /etc/hostname f")]
    [InlineData("ln -s nowhere f")]
    [InlineData("mknod f c 1 5")]
    [InlineData("mkdir f")]
    public async Task What_is_no_file_is_neither_followed_nor_waited_for(string make)
    {
        (await Command.RunAsync(TimeSpan.FromMinutes(1), "sh", "-c", $"cd {_folder} && {make}")).MustSucceed();
        Assert.Null(await Task.Run(Read).WaitAsync(TimeSpan.FromMinutes(1)));
    }

    [Fact]
    public void A_directory_that_is_missing_has_no_files() => Assert.Null(ForeignFile.TryRead(_folder.Of("nowhere"), "f", 64));

    string? Read() => ForeignFile.TryRead(_folder.FullPath, "f", 64);
}
