namespace VolumeManager.Catalog;

/// <summary>
/// Whether this host is in touch with the shared catalog: away, joining (in touch, telling what happened meanwhile), or online. What the host does while it is not
/// online it remembers as volumes to be told of; it goes online in the moment when none is left.
/// </summary>
/// <param name="now">The time by the cluster's clock: until it is online, what is known may be out of date since then.</param>
/// <param name="hasStandby">Whether another server may take over after the loss: a request waits longer then.</param>
internal sealed class ClusterLink(DateTime now, bool hasStandby, Timings timings)
{
    readonly Lock _gate = new();
    readonly HashSet<(Guid Id, string Name)> _untold = [];
    readonly Dictionary<Guid, Holding> _held = [];
    TaskCompletionSource _online = new(TaskCreationOptions.RunContinuationsAsynchronously);
    DateTime _since = now;
    long _lostAt = Environment.TickCount64;
    bool _isJoining;
    string _reason = "it was not reached yet";

    /// <summary>Told when the link is lost.</summary>
    internal Action? OnLost { get; set; }

    internal bool IsOnline => _online.Task.IsCompleted;

    /// <summary>Since when what is known may be out of date; null when online.</summary>
    internal DateTime? StaleSince => IsOnline ? null : _since;

    internal string Reason
    {
        get
        {
            lock (_gate) return _reason;
        }
    }

    /// <param name="failure">What tells that it is lost.</param>
    internal void Lost(Exception failure, DateTime at)
    {
        lock (_gate)
        {
            _isJoining = false;
            _reason = failure is CatalogAwayException away ? away.Reason : failure.Message;
            if (!IsOnline) return;
            _online = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            _since = at;
            _lostAt = Environment.TickCount64;
        }

        OnLost?.Invoke();
    }

    internal void BeginJoin()
    {
        lock (_gate) _isJoining = true;
    }

    /// <summary>The volumes to be told of, each once; none when the link is online from now on.</summary>
    internal IReadOnlyList<(Guid Id, string Name)> TakeUntoldOrGoOnline()
    {
        lock (_gate)
        {
            if (_untold.Count == 0 && _isJoining)
            {
                _isJoining = false;
                _online.TrySetResult();
            }

            return TakeUntold();
        }
    }

    internal IReadOnlyList<(Guid Id, string Name)> TakeUntold()
    {
        lock (_gate)
        {
            (Guid, string)[] untold = [.. _untold];
            _untold.Clear();
            return untold;
        }
    }

    /// <summary>This host's mounts of a volume have changed in its ledger.</summary>
    /// <returns>True when the link is online and the caller has to tell it; otherwise it is told with the rest.</returns>
    internal bool Tell(Guid id, string name)
    {
        lock (_gate)
        {
            if (!IsOnline) _untold.Add((id, name));
            return IsOnline;
        }
    }

    /// <summary>What the shared catalog has of a volume's mounts is in doubt: told again with the next heartbeat, or join.</summary>
    internal void Doubt(Guid id, string name)
    {
        lock (_gate) _untold.Add((id, name));
    }

    /// <summary>
    /// Keeps others from telling the catalog of a volume's mounts while they change: what was read before the change must not be written after it. Waits while it is told
    /// just now, and never for longer than that.
    /// </summary>
    internal async Task HoldAsync(Guid id)
    {
        while (true)
        {
            Task released;
            lock (_gate)
            {
                if (!_held.TryGetValue(id, out var holding))
                {
                    _held[id] = new Holding();
                    return;
                }

                released = holding.Released.Task;
            }

            await released;
        }
    }

    /// <summary>Holds a volume to tell of it, unless it is held: then who holds it has to tell.</summary>
    internal bool TryHold(Guid id)
    {
        lock (_gate)
        {
            if (_held.TryGetValue(id, out var holding))
            {
                holding.IsOwed = true;
                return false;
            }

            _held[id] = new Holding();
            return true;
        }
    }

    /// <summary>Whoever holds the volume has to tell of it at the end.</summary>
    internal void Owe(Guid id)
    {
        lock (_gate) _held[id].IsOwed = true;
    }

    /// <returns>Whether the volume has to be told of now.</returns>
    internal bool Release(Guid id)
    {
        lock (_gate)
        {
            _held.Remove(id, out var holding);
            holding!.Released.SetResult();
            return holding.IsOwed;
        }
    }

    sealed class Holding
    {
        internal TaskCompletionSource Released { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        internal bool IsOwed { get; set; }
    }

    /// <summary>Waits while there is hope.</summary>
    /// <exception cref="CatalogAwayException">There is none for now.</exception>
    internal async Task WaitAsync()
    {
        if (IsOnline) return;
        var left = (_isJoining ? timings.JoinWait : hasStandby ? timings.FailoverWait : timings.RestartWait) - TimeSpan.FromMilliseconds(Environment.TickCount64 - _lostAt);
        try
        {
            if (_isJoining && left < timings.LeastJoinWait) left = timings.LeastJoinWait;
            if (left <= TimeSpan.Zero) throw new TimeoutException();
            await _online.Task.WaitAsync(left);
        }
        catch (TimeoutException e)
        {
            throw new CatalogAwayException($"the cluster's catalog is away since {_since:u} ({_reason}): volumes that are known can be looked at, unmounted, and mounted if they are shared; for the rest try again when it is back", e);
        }
    }
}
