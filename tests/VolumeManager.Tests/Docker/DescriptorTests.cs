using System.Net.Sockets;
using VolumeManager.Tests.Commands;
using VolumeManager.Tests.Hosts;

namespace VolumeManager.Tests.Docker;

/// <summary>protocol.md 8, 13. Alone in the process, whose descriptors are counted.</summary>
[Collection(WholeProcess.Name)]
public sealed class DescriptorTests
{
    const int Connections = 1000;

    [Fact]
    public async Task A_thousand_connections_that_the_client_leaves_open_hold_none_of_the_daemons_descriptors()
    {
        await using var host = await TestHost.StartNewAsync();
        var before = Open();
        var clients = new List<Socket>();
        try
        {
            for (var i = 0; i < Connections; i++)
            {
                var socket = await host.Engine.ConnectAsync();
                clients.Add(socket);
                await socket.SendAsync(PluginClient.Request("/VolumeDriver.Capabilities", "{}\n"));
                Assert.Equal(200, (await PluginClient.ReceiveAsync(socket)).Status);
            }

            // The client's own ends are of this process too.
            await Poll.UntilAsync("the daemon has closed its ends", () => Open() - before <= Connections + 20);
        }
        finally
        {
            clients.ForEach(c => c.Dispose());
        }

        await Poll.UntilAsync("nothing is left open", () => Open() - before <= 20);
    }

    static int Open() => Directory.GetFileSystemEntries("/proc/self/fd").Length;
}
