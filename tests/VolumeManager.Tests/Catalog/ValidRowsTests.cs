using Npgsql;
using VolumeManager.Tests.Clusters;

namespace VolumeManager.Tests.Catalog;

/// <summary>PostgreSQL refuses rows that no volman writes, whoever writes them.</summary>
[Trait("Catalog", "postgres")]
public sealed class ValidRowsTests
{
    [Fact]
    public async Task What_a_daemon_would_not_take_the_database_does_not_take()
    {
        await using var cluster = await TestCluster.StartNewAsync(1);
        Assert.Equal("", await cluster[0].Engine.CreateAsync("v"));
        foreach (var change in (string[])
        [
            "name = ''", "name = '..'", "name = '.v'", "name = 'a/b'", "name = E'a\\nb'", "name = repeat('x', 256)",
            "directory = ''", "directory = '.'", "directory = '..'", "directory = '../../victim'", "directory = 'a/../b'", "directory = 'a//b'", "directory = '/a'", "directory = 'a/'", "directory = '.trash'",
            "directory = 'a/.b'", "directory = E'a\\nb'", "directory = repeat('x', 1025)",
            "backend = 'bogus'", "backend = 'nfs'", "server = 'nas'", "backend = 'nfs', server = E'a\\nb', export = '/x'", "backend = 'nfs', server = 'nas', export = '/a/../b'", "backend = 'nfs', server = 'nas', export = 'a'",
            "export = E'a\\nb'", "access = 'bogus'", "on_remove = 'bogus'", "state = 'bogus'", "state = 'trashed', purge_after = now()", "state = 'purging', removed_at = now()",
            "uid = -1", "gid = 4294967295", "mode = 4096", "size_bytes = 0", "epoch = 0", "created_at = 'infinity'", "purge_after = '294276-01-01'", "sampled_at = '4713-01-01 BC'",
        ])
        {
            var refused = await Assert.ThrowsAsync<PostgresException>(() => cluster.ExecuteAsync($"UPDATE volumes SET {change}"));
            Assert.Equal((PostgresErrorCodes.CheckViolation, change), (refused.SqlState, change));
        }

        foreach (var address in new[] { "10.0.0.0/8", "*", "a b", "10.0.0.1\n/ *(rw)", "10.0.0.1(rw)", "@group" })
        {
            var refused = await Assert.ThrowsAsync<PostgresException>(() => cluster.ExecuteAsync($"UPDATE hosts SET address = '{address}'"));
            Assert.Equal((PostgresErrorCodes.CheckViolation, address), (refused.SqlState, address));
        }

        Assert.Equal(1, await cluster.ExecuteAsync("UPDATE volumes SET directory = 'Some where/ünd_more-2.x', access = 'single-caller', size_bytes = 1, mode = 4095, uid = 4294967294"));
        Assert.Equal(1, await cluster.ExecuteAsync("UPDATE volumes SET backend = 'nfs', server = 'fd00::1', export = '/a.b/..c', directory = 'x'"));
        Assert.Equal(1, await cluster.ExecuteAsync("UPDATE hosts SET address = 'fe80::1%eth0'"));
    }
}
