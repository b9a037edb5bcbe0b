using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;

namespace VolumeManager.Catalog;

/// <summary>The one writer of the catalog. Changes that wait together are committed together: one fsync acknowledges them all.</summary>
/// <remarks>
/// A thread of its own, for SQLite blocks while it writes. A change is a function over the connection that may run twice (in a group, then alone when the group
/// failed), so it must have no effect but its statements and its result.
/// </remarks>
internal sealed partial class CatalogWriter : IDisposable
{
    const int MaxGroup = 64;

    readonly BlockingCollection<Change> _queue = [];
    readonly Func<CatalogConnection> _open;
    readonly TimeSpan _stopTime;
    readonly ILogger _log;
    readonly Thread _thread;
    CatalogConnection? _db;

    /// <param name="open">Opens a connection; called again after a failure.</param>
    /// <param name="stopTime">How long <see cref="Dispose"/> waits for what is queued.</param>
    internal CatalogWriter(Func<CatalogConnection> open, TimeSpan stopTime, ILogger log)
    {
        _open = open;
        _stopTime = stopTime;
        _log = log;
        _thread = new Thread(Run) { IsBackground = true, Name = "catalog" };
        _thread.Start();
    }

    /// <summary>Runs <paramref name="change"/> in a transaction; when the task completes its result is on disk.</summary>
    /// <exception cref="OperationCanceledException">Cancelled while it waited for its turn: nothing was written.</exception>
    /// <exception cref="VolumeException">The database failed, and nothing was written.</exception>
    internal Task<T> WriteAsync<T>(Func<CatalogConnection, Task<T>> change, CancellationToken cancellation)
    {
        var queued = new Change<T>(change, cancellation);
        try
        {
            _queue.Add(queued, CancellationToken.None);
        }
        catch (InvalidOperationException)
        {
            queued.Fail(new VolumeException("volman is stopping: try again when it runs"));
        }

        return queued.Task;
    }

    void Run()
    {
        var group = new List<Change>(MaxGroup);
        foreach (var first in _queue.GetConsumingEnumerable())
        {
            group.Clear();
            for (var next = first; next is not null && group.Count < MaxGroup; next = group.Count < MaxGroup && _queue.TryTake(out var more) ? more : null)
            {
                if (!next.IsCancelled()) group.Add(next);
            }

            if (group.Count == 0) continue;
            if (TryCommit(group, out var culprit) is not { } failure)
            {
                foreach (var change in group) change.Complete();
            }
            else if (culprit is null || group.Count == 1)
            {
                foreach (var change in group) Fail(change, failure);
            }
            else
            {
                // One of them is at fault: let the others not suffer for it.
                foreach (var change in group.Where(c => !c.IsCancelled()))
                {
                    if (TryCommit([change], out _) is { } own) Fail(change, own);
                    else change.Complete();
                }
            }
        }
    }

    /// <returns>What went wrong; null for success.</returns>
    /// <param name="culprit">The change whose statements failed, or null when the database itself did.</param>
    Exception? TryCommit(List<Change> group, out Change? culprit)
    {
        Change? current = null;
        try
        {
            // SQLite's asynchronous methods complete before they return, so nothing here waits on another thread.
            _db ??= _open();
            _db.InTransactionAsync(async db =>
            {
                foreach (var change in group) await (current = change).ApplyAsync(db);
                current = null;
            }).GetAwaiter().GetResult();
            return null;
        }
#pragma warning disable CA1031 // Whatever a change threw is its caller's; the writer lives on.
        catch (Exception e)
#pragma warning restore CA1031
        {
            // A connection that has failed may be in any state; a new one costs little and this is rare.
            _db?.Dispose();
            _db = null;
            return e;
        }
        finally
        {
            culprit = current;
        }
    }

    void Fail(Change change, Exception failure)
    {
        if (failure is not VolumeException)
        {
            LogFailure(failure);
            failure = new VolumeException($"the catalog cannot be written ({failure.GetBaseException().Message}): nothing was changed; free space, mend the disk or end what else has the file open, then try again", failure);
        }

        change.Fail(failure);
    }

    /// <summary>Commits what is queued and ends.</summary>
    public void Dispose()
    {
        _queue.CompleteAdding();
        // A disk that hangs must not keep the process from ending: what is not written then was not acknowledged.
        if (!_thread.Join(_stopTime)) return;
        _db?.Dispose();
        _queue.Dispose();
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "The catalog cannot be written")]
    partial void LogFailure(Exception failure);

    abstract class Change
    {
        internal abstract bool IsCancelled();
        internal abstract Task ApplyAsync(CatalogConnection db);
        internal abstract void Complete();
        internal abstract void Fail(Exception failure);
    }

    sealed class Change<T>(Func<CatalogConnection, Task<T>> change, CancellationToken cancellation) : Change
    {
        readonly TaskCompletionSource<T> _completion = new(TaskCreationOptions.RunContinuationsAsynchronously);
        T? _result;

        internal Task<T> Task => _completion.Task;

        internal override bool IsCancelled() => cancellation.IsCancellationRequested && _completion.TrySetCanceled(cancellation);

        internal override async Task ApplyAsync(CatalogConnection db) => _result = await change(db);

        internal override void Complete() => _completion.SetResult(_result!);

        internal override void Fail(Exception failure) => _completion.SetException(failure);
    }
}
