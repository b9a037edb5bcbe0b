using VolumeManager.Volumes;

namespace VolumeManager.Copies;

/// <content>Keeping a volume from being used while it is copied.</content>
internal sealed partial class CopyService
{
    /// <summary>A volume that is held.</summary>
    /// <param name="volume">As it is in the catalog.</param>
    /// <param name="lost">Cancelled when who asked has gone, or the volume is not held any more.</param>
    sealed class Held(Volume volume, CancellationTokenSource lost) : IDisposable
    {
        readonly CancellationTokenSource _over = new();
        Task _renewing = Task.CompletedTask;

        internal Volume Volume { get; private set; } = volume;

        internal CancellationToken Lost => lost.Token;

        /// <summary>What was copied, from when on it may be that the volume is switched over to it.</summary>
        internal Volume? Copy { get; set; }

        /// <summary>Others take a volume for abandoned of which they hear nothing for long.</summary>
        /// <param name="renew">Makes the catalog say that it is held still; null when it is not.</param>
        internal void KeepRenewing(Func<Volume, Task<Volume?>> renew, TimeSpan period) => _renewing = Task.Run(async () =>
        {
            try
            {
                while (true)
                {
                    await Task.Delay(period, _over.Token);
                    if (await renew(Volume) is not { } renewed) break;
                    Volume = renewed;
                }
            }
            catch (OperationCanceledException) when (_over.IsCancellationRequested)
            {
                return;
            }
#pragma warning disable CA1031 // Whatever keeps it from being renewed, the volume is not held any more.
            catch (Exception)
#pragma warning restore CA1031
            {
                // The catalog is away.
            }

            await lost.CancelAsync();
        });

        /// <summary>From now on what the catalog says of it stays as it is.</summary>
        internal async Task SettleAsync()
        {
            await _over.CancelAsync();
            await _renewing;
        }

        public void Dispose() => _over.Dispose();
    }

    /// <summary>Holds a volume that nobody uses for as long as <paramref name="work"/> takes. Afterwards it is as the work left it, or ready again.</summary>
    async Task<T> WhileHeldAsync<T>(Volume volume, Func<Held, Task<T>> work, CancellationToken cancellation)
    {
        using var copied = catalog.WhileCopied(volume);
        using var lost = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        using var held = new Held(await HoldAsync(volume, cancellation), lost);
        // On one host there are no others.
        if (catalog.Scope != "local") held.KeepRenewing(trash.RenewAsync, settings.Timings.HoldRenewal);
        try
        {
            return await work(held);
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
        {
            throw new VolumeException($"the copy of volume {volume.Name} was given up, for the catalog was away for too long or another host took the volume back: nothing is changed");
        }
        finally
        {
            await held.SettleAsync();
            await ReleaseAsync(held);
        }
    }

    async Task<Volume> HoldAsync(Volume volume, CancellationToken cancellation)
    {
        using var turn = await locks.AcquireAsync(volume.Name, cancellation);
        var known = await catalog.FindAsync(volume.Name, cancellation);
        if (known?.Id != volume.Id) throw new NoSuchVolumeException(volume.Name);
        CheckUnused(known);
        await volumes.CheckUnheldAsync(known, cancellation);
        var held = known with { State = VolumeState.Restoring, RemovedAt = Trash.Microseconds(catalog.Now) };
        var (made, now) = await catalog.ChangeAsync(CopyRows.Hold(held), held);
        if (made || (now?.State, now?.RemovedAt) == (held.State, held.RemovedAt)) return held;
        if (now is { State: VolumeState.Ready, Mounts.IsEmpty: true }) throw new VolumeException($"volume {volume.Name} cannot be held while a host of the cluster runs volman 0.1: upgrade it first, see volman host ls");
        throw now is null ? new NoSuchVolumeException(volume.Name) : volumes.InUse(now);
    }

    /// <summary>Does nothing to a volume that has been switched over meanwhile.</summary>
    async Task ReleaseAsync(Held held)
    {
        try
        {
            using var turn = await locks.AcquireAsync(held.Volume.Name, CancellationToken.None);
            if (catalog.Index.TryFind(held.Volume.Name, out var now) && now.Id == held.Volume.Id && now.State == VolumeState.Restoring && now.IsAt(held.Volume))
            {
                var volume = held.Copy is { } copy ? await DropCopyAsync(held.Volume, copy) : held.Volume;
                await catalog.ChangeAsync(CopyRows.Release(volume), now with { State = VolumeState.Ready, RemovedAt = null });
            }
        }
        catch (VolumeException e)
        {
            // Nobody's any more: whoever looks for what was left behind makes it ready.
            LogNotReleased(held.Volume.Name, e.Message);
        }
    }

    /// <summary>Deletes a copy of a volume that was not switched over to it. In the trash of the volume's own place it would be taken for the volume's data, and the volume for removed.</summary>
    /// <returns>The volume as it is held then.</returns>
    async Task<Volume> DropCopyAsync(Volume volume, Volume copy)
    {
        // The switch may be on its way still.
        if (await trash.RenewAsync(volume) is not { } renewed) throw new VolumeException("it is not held any more");
        if (copy.IsBeside(volume)) await exports.Of(copy).DropStagedAsync(copy);
        else await TryDropAsync(exports.Of(copy), copy);
        return renewed;
    }
}
