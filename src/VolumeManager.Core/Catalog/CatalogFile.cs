using System.Collections.Concurrent;
using System.Data.Common;
using Microsoft.Extensions.Logging;

namespace VolumeManager.Catalog;

/// <summary>An SQLite file of this host, with the catalog's schema and one writer: the catalog of a single host, or the ledger of a host in a cluster.</summary>
internal sealed partial class CatalogFile : IDisposable
{
    readonly CatalogWriter _writer;
    readonly ConcurrentQueue<Change> _late = new();
    readonly SemaphoreSlim _flushing = new(1);
    readonly ILogger _log;

    CatalogFile(string path, Timings timings, ILogger log)
    {
        Path = path;
        _log = log;
        _writer = new CatalogWriter(() => SqliteCatalog.Open(path, timings), timings.SqliteStop, log);
    }

    internal string Path { get; }

    /// <summary>Opens the file, which is made when it is missing, brings its schema up to date, and lets <paramref name="load"/> read it.</summary>
    /// <param name="cure">What to do about a file that is damaged.</param>
    /// <exception cref="CatalogSchemaException">The schema is newer than this program, or older and <paramref name="migrate"/> is off.</exception>
    /// <exception cref="VolumeException">The file cannot be read.</exception>
    internal static async Task<CatalogFile> OpenAsync(string path, string cure, bool migrate, Timings timings, Func<CatalogConnection, Task> load, ILogger log)
    {
        // SQLite gives its journal the mode of the database.
        new FileStream(path, new FileStreamOptions
        {
            Mode = FileMode.OpenOrCreate,
            Access = FileAccess.ReadWrite,
            UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
        }).Dispose();
        try
        {
            using var db = SqliteCatalog.Open(path, timings);
            await SqliteCatalog.MigrateAsync(db, path, migrate);
            await load(db);
            return new CatalogFile(path, timings, log);
        }
        catch (DbException e)
        {
            throw new VolumeException($"{path} cannot be opened ({e.Message}): {cure}", e);
        }
    }

    /// <summary>Applies a change; when the task completes it is on disk.</summary>
    /// <param name="condition">Asked in the same transaction whether to make it; null for always.</param>
    /// <returns>Whether the deciding statement changed anything.</returns>
    /// <exception cref="VolumeException">The file cannot be written; nothing was changed.</exception>
    internal async Task<bool> ApplyAsync(Change change, Func<CatalogConnection, Task<bool>>? condition = null)
    {
        // What is late comes first: a release must not undo a mount of later.
        if (!_late.IsEmpty) await FlushAsync();
        return _late.IsEmpty ? await WriteAsync(change, condition) : throw new VolumeException($"{Path} cannot be written: free space on its disk, then try again");
    }

    Task<bool> WriteAsync(Change change, Func<CatalogConnection, Task<bool>>? condition = null) =>
        _writer.WriteAsync(async db => (condition is null || await condition(db)) && await db.ExecuteAsync(change) > 0, CancellationToken.None);

    /// <summary>Applies a change that must not fail. When the disk is full it is kept, and applied by <see cref="FlushAsync"/>.</summary>
    internal async Task ApplyEventuallyAsync(Change change)
    {
        try
        {
            await ApplyAsync(change);
        }
        catch (VolumeException e)
        {
            _late.Enqueue(change);
            LogLate(e.Message);
        }
    }

    /// <summary>Applies a change that nobody waits for.</summary>
    internal void Post(Change change) => _ = ApplyAsync(change).ContinueWith(failed => _ = failed.Exception, TaskContinuationOptions.OnlyOnFaulted);

    internal Task<T> ReadAsync<T>(Func<CatalogConnection, Task<T>> read, CancellationToken cancellation) => _writer.WriteAsync(read, cancellation);

    internal async Task FlushAsync()
    {
        await _flushing.WaitAsync();
        try
        {
            while (_late.TryPeek(out var change))
            {
                await WriteAsync(change);
                _late.TryDequeue(out _);
            }
        }
        catch (VolumeException e)
        {
            LogLate(e.Message);
        }
        finally
        {
            _flushing.Release();
        }
    }

    public void Dispose()
    {
        _writer.Dispose();
        _flushing.Dispose();
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "A release is not written down yet: {Reason}")]
    partial void LogLate(string reason);
}
