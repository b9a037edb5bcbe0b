using System.Net.Sockets;
using Microsoft.Extensions.Logging;
using VolumeManager.Commands;
using VolumeManager.Tests.Hosts;

namespace VolumeManager.Tests.Commands;

[Trait("Catalog", "any")]
public sealed class ListenSocketTests : IDisposable
{
    readonly ScratchFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    string Of(string name) => _folder.Of(name);

    [Fact]
    public async Task The_socket_is_roots_alone_and_its_directory_is_made()
    {
        using var listening = ListenSocket.Bind(Of("plugins/v.sock"), "--socket");
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(Of("plugins/v.sock")));
        Assert.Equal(["v.sock"], Directory.GetFileSystemEntries(Of("plugins")).Select(Path.GetFileName));
        using var client = await ConnectAsync(Of("plugins/v.sock"));
        Assert.True(client.Connected);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task What_a_killed_daemon_left_is_taken_over(bool halfMade)
    {
        var left = Of(halfMade ? "v.sock.new" : "v.sock");
        using (var dead = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified))
        {
            // Renamed, for the framework removes at the end what it bound.
            dead.Bind(new UnixDomainSocketEndPoint(left + ".dead"));
            File.Move(left + ".dead", left);
        }

        Assert.True(File.Exists(left));
        using var listening = ListenSocket.Bind(Of("v.sock"), "--socket");
        using var client = await ConnectAsync(Of("v.sock"));
        Assert.True(client.Connected);
        Assert.False(File.Exists(Of("v.sock.new")));
    }

    [Fact]
    public async Task A_live_daemons_socket_is_left_to_it()
    {
        using var first = ListenSocket.Bind(Of("v.sock"), "--socket");
        var error = Assert.Throws<VolumeException>(() => ListenSocket.Bind(Of("v.sock"), "--socket"));
        Assert.Equal($"another daemon answers on {Of("v.sock")}: stop it, or choose another --socket", error.Message);
        using var client = await ConnectAsync(Of("v.sock"));
        Assert.True(client.Connected);
    }

    [Fact]
    public void A_path_that_is_too_long_for_a_socket_is_told_with_its_limit()
    {
        var longest = Of(new string('a', 103 - _folder.FullPath.Length - 1));
        using (ListenSocket.Bind(longest, "--socket")) Assert.True(File.Exists(longest));
        var error = Assert.Throws<VolumeException>(() => ListenSocket.Bind(longest + "a", "--socket"));
        Assert.Equal($"the socket path {longest}a is longer than 103 bytes: choose a shorter --socket", error.Message);
    }

    [Fact]
    public void A_directory_that_cannot_be_used_is_named()
    {
        File.WriteAllText(Of("file"), "");
        Directory.CreateDirectory(Of("directory.sock"));
        foreach (var path in new[] { Of("file/v.sock"), Of("directory.sock") })
        {
            Assert.StartsWith($"the socket {path} cannot be made (", Assert.Throws<VolumeException>(() => ListenSocket.Bind(path, "--socket")).Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task A_stopped_daemon_leaves_no_socket_behind()
    {
        await using var host = await TestHost.StartNewAsync();
        Assert.True(File.Exists(host.Settings.Socket));
        await host.StopAsync();
        Assert.False(File.Exists(host.Settings.Socket));
    }

    [Fact]
    public async Task A_second_daemon_with_a_state_of_its_own_is_refused_and_the_first_goes_on()
    {
        await using var first = await TestHost.StartNewAsync();
        await using var second = new TestHost();
        second.Settings = second.Settings with { Socket = first.Settings.Socket };
        var silent = new LogSettings { Level = LogLevel.None };
        var error = await Assert.ThrowsAsync<VolumeException>(() => ServeCommand.RunAsync(second.Settings, silent, CancellationToken.None));
        Assert.StartsWith("another daemon answers on ", error.Message, StringComparison.Ordinal);
        Assert.Equal("", await first.Engine.CreateAsync("v"));
    }

    static async Task<Socket> ConnectAsync(string path)
    {
        var client = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        await client.ConnectAsync(new UnixDomainSocketEndPoint(path));
        return client;
    }
}
