using System.Collections.Concurrent;
using System.Data.Common;
using System.Globalization;
using System.Net.Sockets;
using Npgsql;
using VolumeManager.Hosts;

namespace VolumeManager.Catalog;

/// <summary>The shared catalog's PostgreSQL: every change and every question is one round trip over a small pool of connections.</summary>
internal sealed class PostgresDatabase : IAsyncDisposable
{
    // Parsing a text for its braces costs more than sending it; there are some fifty texts.
    static readonly ConcurrentDictionary<string, string> s_positional = new(StringComparer.Ordinal);

    readonly NpgsqlDataSource _source;
    readonly string _forReports;
    readonly (string Host, int Port) _firstServer;
    // Changes wait for each other in the database, on the revision's row. What only asks, and the lease, must not wait behind them for a connection.
    readonly SemaphoreSlim _changes;
    readonly SemaphoreSlim _reads;

    /// <param name="connectionString">As the user wrote it; what it leaves open gets bounds below the engine's own.</param>
    /// <param name="timings">Null for <see cref="Timings.Real"/>.</param>
    /// <exception cref="VolumeException">It is no connection string.</exception>
    internal PostgresDatabase(string connectionString, string hostName, Timings? timings = null)
    {
        Timings = timings ?? Timings.Real;
        var settings = Parse(connectionString);
        // ContainsKey would say yes to every key that the driver knows.
        var written = settings.Keys.Cast<string>().ToHashSet(StringComparer.OrdinalIgnoreCase);
        void Default(string key, object value)
        {
            if (!written.Contains(key)) settings[key] = value;
        }

        Default("Application Name", $"volman@{hostName}"[..Math.Min(63, hostName.Length + 7)]);
        Default("Maximum Pool Size", 8);
        Default("Timeout", 3);
        Default("Command Timeout", (int)Timings.CommandTime.TotalSeconds);
        Default("Cancellation Timeout", 500);
        Default("Keepalive", 15);
        Default("Max Auto Prepare", 64);
        Default("Auto Prepare Min Usages", 2);
        Default("Host Recheck Seconds", 1);
        Default("GSS Encryption Mode", "Disable");
        // A change goes out in one piece: one that breaks off in its middle would keep the revision's row locked until the server notices.
        Default("Write Buffer Size", 32768);
        // A daemon that stops in the middle of a change must not keep the others waiting for longer than they would wait.
        Default("Options", $"-c lock_timeout={(int)Timings.LockWait.TotalMilliseconds} -c statement_timeout=10000 -c idle_in_transaction_session_timeout=5000"
            + " -c tcp_keepalives_idle=5 -c tcp_keepalives_interval=2 -c tcp_keepalives_count=3");
        if (settings.Host?.Contains(',', StringComparison.Ordinal) == true) Default("Target Session Attributes", "primary");
        IsMultiHost = settings.Host?.Contains(',', StringComparison.Ordinal) == true;
        // As the driver fills in what is not there.
        _firstServer = (settings.Host!.Split(',')[0], settings.Port);
        Name = $"{settings.Database ?? settings.Username ?? Environment.UserName} on {settings.Host}";
        _source = NpgsqlDataSource.Create(settings.ConnectionString);
        settings.Pooling = false;
        settings.ApplicationName = $"volman-report@{hostName}"[..Math.Min(63, hostName.Length + 14)];
        _forReports = settings.ConnectionString;
        var changes = Math.Max(1, settings.MaxPoolSize * 5 / 8);
        _changes = new SemaphoreSlim(changes);
        _reads = new SemaphoreSlim(Math.Max(1, settings.MaxPoolSize - changes));
    }

    internal Timings Timings { get; }

    /// <summary>What it is called in messages: database and host, no secret.</summary>
    internal string Name { get; }

    /// <summary>Whether another server may take over while we wait.</summary>
    internal bool IsMultiHost { get; }

    /// <summary>The address of this host from which it reaches the database, or of two servers the first; null when that is none for others, as with a unix socket.</summary>
    internal Task<string?> OwnAddressAsync()
    {
        // Npgsql: a host may bring its port along, and begins with a slash or an at sign when it is a unix socket.
        var (host, port) = _firstServer;
        return host is ['/' or '@', ..] ? Task.FromResult<string?>(null) : HostAddress.TowardsAsync(host.Count(c => c == ':') == 1 ? host[..host.IndexOf(':', StringComparison.Ordinal)] : host, port);
    }

    static NpgsqlConnectionStringBuilder Parse(string connectionString)
    {
        try
        {
            var settings = new NpgsqlConnectionStringBuilder(connectionString);
            return string.IsNullOrEmpty(settings.Host) ? throw new VolumeException("the setting database names no Host: write a connection string such as Host=db;Database=volman;Username=volman") : settings;
        }
        catch (Exception e) when (e is ArgumentException or FormatException or KeyNotFoundException)
        {
            // Not the message of the driver, which may quote the text and with it the password.
            throw new VolumeException("the setting database is no PostgreSQL connection string: write one such as Host=db;Database=volman;Username=volman", e);
        }
    }

    /// <summary>Runs a change. Nothing cancels it: what was sent may be done, and its sender must learn whether.</summary>
    /// <param name="row">Gets each row that a statement gave back, with the number of its result set.</param>
    /// <returns>How many rows the deciding statement affected.</returns>
    /// <exception cref="CatalogAwayException">The database does not answer; whether the change was made is not known.</exception>
    /// <exception cref="VolumeException">The database refused; nothing was changed.</exception>
    internal async Task<int> ApplyAsync(Change change, FormattableString? readBack = null, Action<int, DbDataReader>? row = null)
    {
        if (!await _changes.WaitAsync(Timings.ConnectionTurn)) throw new VolumeException($"the catalog's database {Name} is busy, this change waited {Timings.ConnectionTurn.TotalSeconds:0} s for its turn: nothing was changed; try again");
        try
        {
            var affected = await SendAsync(readBack is null ? change.Statements : [.. change.Statements, readBack], row, CancellationToken.None);
            return affected[change.Decision];
        }
        finally
        {
            _changes.Release();
        }
    }

    /// <summary>Asks questions, all in one round trip and of one moment or of one shortly after the other.</summary>
    /// <exception cref="CatalogAwayException">The database does not answer.</exception>
    internal Task ReadAsync(FormattableString query, Action<DbDataReader> row, CancellationToken cancellation) => RunAsync([query], (_, reader) => row(reader), cancellation);

    /// <summary>Sends statements that wait for no change: questions, and the lease.</summary>
    /// <returns>How many rows each statement affected.</returns>
    /// <exception cref="CatalogAwayException">The database does not answer.</exception>
    internal async Task<int[]> RunAsync(IReadOnlyList<FormattableString> statements, Action<int, DbDataReader>? row, CancellationToken cancellation)
    {
        if (!await _reads.WaitAsync(Timings.ConnectionTurn, cancellation)) throw new CatalogAwayException($"the catalog's database {Name} does not keep up", cure: "see to it, then try again");
        try
        {
            return await SendAsync(statements, row, cancellation);
        }
        finally
        {
            _reads.Release();
        }
    }

    async Task<int[]> SendAsync(IReadOnlyList<FormattableString> statements, Action<int, DbDataReader>? row, CancellationToken cancellation)
    {
        try
        {
            await using var connection = await _source.OpenConnectionAsync(cancellation);
            await using var batch = connection.CreateBatch();
            foreach (var statement in statements) batch.BatchCommands.Add(Bind(statement));
            await using (var reader = await batch.ExecuteReaderAsync(cancellation))
            {
                var set = 0;
                do
                {
                    while (await reader.ReadAsync(cancellation)) row?.Invoke(set, reader);
                    if (reader.FieldCount > 0) set++;
                }
                while (await reader.NextResultAsync(cancellation));
            }

            return [.. ((IEnumerable<DbBatchCommand>)batch.BatchCommands).Select(command => command.RecordsAffected)];
        }
        catch (PostgresException e) when (e is { SqlState: PostgresErrorCodes.NotNullViolation, TableName: "catalog" })
        {
            throw new CatalogAwayException("this host's lease ran out, or it was evicted; it joins the cluster anew", e);
        }
        catch (Exception e) when (IsAway(e))
        {
            throw Away(e);
        }
        catch (PostgresException e)
        {
            throw Refused(e);
        }
    }

    CatalogAwayException Away(Exception e) => new(IsLogin(e)
        ? $"the catalog's database {Name} does not let volman in ({Reason(e)}): see to user, password and database of the connection string, then try again"
        : $"the catalog's database {Name} does not answer ({Reason(e)}): see to it, then try again", e);

    static bool IsLogin(Exception e) => e is PostgresException { SqlState: "3D000" or ['2', '8', ..] };

    VolumeException Refused(PostgresException e) => new($"the catalog's database {Name} refused ({e.MessageText}): nothing was changed; {Cure(e)}", e);

    /// <summary>Work over a connection of its own, that is neither a change nor a question of the daemon: migration, promotion. It may take as long as it takes.</summary>
    /// <exception cref="CatalogAwayException">The database does not answer.</exception>
    /// <exception cref="VolumeException">The database refused.</exception>
    internal async Task<T> RunAsync<T>(Func<NpgsqlConnection, Task<T>> work, CancellationToken cancellation)
    {
        try
        {
            await using var connection = await _source.OpenConnectionAsync(cancellation);
            // The bounds are for requests, which somebody waits for. The pool puts them back.
            await using (var free = new NpgsqlCommand("SET lock_timeout = 0; SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0", connection))
            {
                await free.ExecuteNonQueryAsync(cancellation);
            }

            return await work(connection);
        }
        catch (Exception e) when (IsAway(e))
        {
            throw Away(e);
        }
        catch (PostgresException e)
        {
            throw Refused(e);
        }
    }

    /// <summary>A connection outside of the pool, whose size is that of requests. It can only read, and no query over it takes longer than a report may.</summary>
    /// <exception cref="CatalogAwayException">The database does not answer.</exception>
    internal async Task<NpgsqlConnection> OpenForReportsAsync(CancellationToken cancellation)
    {
        var connection = new NpgsqlConnection(_forReports);
        try
        {
            await connection.OpenAsync(cancellation);
            // Compiling a report takes longer than running it.
            await using var bounds = new NpgsqlCommand("SET default_transaction_read_only = on; SET statement_timeout = '110s'; SET jit = off; SET work_mem = '64MB'", connection);
            await bounds.ExecuteNonQueryAsync(cancellation);
            return connection;
        }
        catch (Exception e)
        {
            await connection.DisposeAsync();
            if (IsAway(e)) throw Away(e);
            throw;
        }
    }

    internal static NpgsqlBatchCommand Bind(FormattableString sql)
    {
        var command = new NpgsqlBatchCommand(s_positional.GetOrAdd(
            sql.Format, (format, count) => string.Format(CultureInfo.InvariantCulture, format, [.. Enumerable.Range(1, count).Select(i => (object)$"${i}")]), sql.ArgumentCount));
        for (var i = 0; i < sql.ArgumentCount; i++) command.Parameters.Add(Parameter(sql.GetArgument(i)!));
        return command;
    }

    static NpgsqlParameter Parameter(object value) => value switch
    {
        TypedNull { Type: System.Data.DbType.DateTime } => new NpgsqlParameter { NpgsqlDbType = NpgsqlTypes.NpgsqlDbType.TimestampTz, Value = DBNull.Value },
        TypedNull unknown => new NpgsqlParameter { DbType = unknown.Type, Value = DBNull.Value },
        _ => new NpgsqlParameter { Value = value },
    };

    /// <summary>Whether this tells of the way to the database, or of a server that is no primary, rather than of the statement.</summary>
    internal static bool IsAway(Exception e) => e switch
    {
        // Shut down or crashed, no connection left, a demoted primary, a login or database that is not there (yet), the link itself.
        PostgresException postgres => postgres.SqlState is "53300" or "25006" or "3D000" || postgres.SqlState[..2] is "08" or "28" || postgres.SqlState.StartsWith("57P", StringComparison.Ordinal),
        NpgsqlException or TimeoutException or SocketException or IOException => true,
        _ => false,
    };

    static string Reason(Exception e) => (e is NpgsqlException { InnerException: AggregateException all } ? all.InnerExceptions[^1] : e.GetBaseException()) switch
    {
        PostgresException postgres => postgres.MessageText,
        var other => other.Message.ReplaceLineEndings(" "),
    };

    static string Cure(PostgresException e) => e.SqlState switch
    {
        PostgresErrorCodes.InsufficientPrivilege => "use the roles that docs/postgresql.sql makes, the owner to migrate and the daemons' for all else",
        PostgresErrorCodes.UndefinedTable or PostgresErrorCodes.UndefinedColumn => "run volman migrate",
        PostgresErrorCodes.DiskFull => "free space on the database's disk, then try again",
        _ => "try again, or see the database's log",
    };

    public async ValueTask DisposeAsync()
    {
        await _source.DisposeAsync();
        _changes.Dispose();
        _reads.Dispose();
    }
}

/// <summary>The shared catalog cannot be asked now. Get, List and Path must not make "no such volume" of it.</summary>
/// <param name="cure">What to do about it, beside waiting.</param>
internal sealed class CatalogAwayException(string reason, Exception? inner = null, string? cure = null) : VolumeException(cure is null ? reason : $"{reason}: {cure}", inner)
{
    internal string Reason => reason;
}
