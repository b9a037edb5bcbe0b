namespace VolumeManager.TestSupport.Postgres;

/// <summary>How a test's server is set up. The defaults keep production's promise: what is acknowledged is on the disk.</summary>
internal sealed record PostgresOptions
{
    /// <summary>For suites where durability is not under test: a killed server still has every commit, a machine without power may have none.</summary>
    public static PostgresOptions Fast { get; } = new() { Durable = false };

    public bool Durable { get; init; } = true;

    public int MaxConnections { get; init; } = 100;

    /// <summary>Listens on a free port of 127.0.0.1 too; <c>extra: "Host=127.0.0.1"</c> connects there.</summary>
    public bool Tcp { get; init; }

    /// <summary>More settings as in postgresql.conf; they win over ours.</summary>
    public IReadOnlyDictionary<string, string> Settings { get; init; } = new Dictionary<string, string>(StringComparer.Ordinal);

    /// <summary>As arguments of <c>postgres</c>, and not in its file: a standby copies its primary's file, but is another server.</summary>
    public IEnumerable<string> ToArguments(PostgresFolder folder, int port)
    {
        var settings = new Dictionary<string, string>(StringComparer.Ordinal)
        {
            ["listen_addresses"] = Tcp ? "127.0.0.1" : "",
            ["port"] = $"{port}",
            ["unix_socket_directories"] = folder.Sockets,
            ["max_connections"] = $"{MaxConnections}",
            ["fsync"] = Durable ? "on" : "off",
            ["full_page_writes"] = Durable ? "on" : "off",
            ["synchronous_commit"] = "on",
            // A killed server leaves its shared memory behind: in its own folder, not in /dev/shm, which is small in a container.
            ["dynamic_shared_memory_type"] = "mmap",
            // A standby that is stopped for a while must find the primary's log where it left it.
            ["wal_keep_size"] = "256MB",
            ["logging_collector"] = "off",
            ["log_line_prefix"] = "%m [%p] %d ",
        };
        foreach (var (name, value) in Settings) settings[name] = value;
        return settings.SelectMany(setting => new[] { "-c", $"{setting.Key}={setting.Value}" });
    }
}
