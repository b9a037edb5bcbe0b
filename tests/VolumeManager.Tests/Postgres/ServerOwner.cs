using VolumeManager.TestSupport.Postgres;

namespace VolumeManager.Tests.Postgres;

/// <summary>
/// The test assembly run as a program: it owns a PostgreSQL server, names its folder, and waits to be killed.
/// Test runners load the assembly and never come here.
/// </summary>
internal static class ServerOwner
{
    internal static async Task Main()
    {
        var server = await PostgresServer.StartNewAsync(PostgresOptions.Fast);
        Console.WriteLine(server.SocketDirectory);
        Console.WriteLine(string.Join(' ', server.ProcessIds));
        await Task.Delay(Timeout.Infinite);
    }
}
