using System.Collections.Concurrent;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace VolumeManager.Docker;

/// <summary>
/// Ends what is under way when the daemon stops. At first everything goes on. When <see cref="Timings.DrainTime"/> is over, the engine's calls that change something are
/// cancelled, undo themselves and are answered; all other connections are closed.
/// </summary>
/// <remarks>A connection that is closed with an answer on its way loses the answer, and the engine would never unmount what it was not told of.</remarks>
internal sealed class Drain : IDisposable
{
    readonly CancellationTokenSource _over = new();
    readonly ConcurrentDictionary<Task, bool> _endings = [];

    internal Drain() => Over = _over.Token;

    /// <summary>Cancelled when the calls under way have to end.</summary>
    internal CancellationToken Over { get; }

    /// <summary>Keeps a change that goes on after its call was answered, because the call had waited as long as it may.</summary>
    internal void Keep(Task ending)
    {
        if (ending.IsCompleted) return;
        _endings[ending] = true;
        _ = ending.ContinueWith(ended => _endings.TryRemove(ended, out _), TaskScheduler.Default);
    }

    /// <summary>Waits until those changes have ended or are undone, and no longer than that.</summary>
    internal Task EndedAsync(TimeSpan patience) => Task.WhenAny(Task.WhenAll(_endings.Keys), Task.Delay(patience));

    internal void Begin(TimeSpan time) => _over.CancelAfter(time);

    /// <summary>Makes the connections of a listener close when calls have to end.</summary>
    internal void Close(ListenOptions listener) => listener.Use(next => async connection =>
    {
        var end = new ConnectionEnd(connection);
        connection.Features.Set(end);
        await using var closing = Over.Register(end.Close);
        await next(connection);
    });

    /// <summary>Keeps a request's connection open until it is answered.</summary>
    /// <returns>False when the connection is closed already: nothing may be begun for it.</returns>
    internal static bool TryKeep(HttpContext http) => http.Features.Get<ConnectionEnd>()?.TryKeep() != false;

    public void Dispose() => _over.Dispose();

    sealed class ConnectionEnd(ConnectionContext connection)
    {
        readonly Lock _gate = new();
        bool _isKept;
        bool _isClosed;

        internal bool TryKeep()
        {
            lock (_gate) return _isKept = !_isClosed;
        }

        internal void Close()
        {
            lock (_gate)
            {
                if (_isKept) return;
                _isClosed = true;
            }

            connection.Abort();
        }
    }
}
