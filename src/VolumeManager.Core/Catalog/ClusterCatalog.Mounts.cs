using System.Collections.Immutable;
using VolumeManager.Hosts;
using VolumeManager.Mounts;
using VolumeManager.Volumes;

namespace VolumeManager.Catalog;

/// <content>Who uses volumes: claims, what comes before another host's volume is taken, and releases.</content>
internal sealed partial class ClusterCatalog
{
    internal override async Task<Claim> ClaimAsync(Volume volume, Mount mount, Event entry)
    {
        if (volume.IsTakenFrom(_host.Id))
        {
            throw new VolumeException($"volume {volume.Name} was {(volume.IsExclusive ? "taken over" : "moved to another place")} by another host while this one was lost: stop the containers of this host that still use it, then try again");
        }

        for (var attempt = 1; ; attempt++)
        {
            // Who may be alone with it only the database can say.
            if (volume.IsExclusive) await _link.WaitAsync();
            try
            {
                return await HoldingAsync(volume, () => ClaimHeldAsync(volume, mount, entry));
            }
            catch (CatalogAwayException) when (volume.IsExclusive)
            {
                _link.Doubt(volume.Id, volume.Name);
                if (attempt == 3) throw;
            }
        }
    }

    async Task<Claim> ClaimHeldAsync(Volume volume, Mount mount, Event entry)
    {
        // A host has a volume under one name at a time: an Unmount comes with the name of its Mount, and the ledger knows one.
        if (Index.TryFindFormer(volume, out var former))
        {
            throw new VolumeException($"volume {volume.Name} is still mounted on this host as {former.Name}, its name before it was removed and restored: stop the containers of this host that use it under that name first");
        }

        try
        {
            if (_link.IsOnline || volume.IsExclusive)
            {
                var (made, now) = await DecideAsync(MountRows.Claim(mount, entry), SharedVolumeRows.ById(volume.Id), volume.Name, patient: false);
                if (!made && now is { State: VolumeState.Ready, IsExclusive: true } && now.Epoch == mount.Epoch)
                {
                    if (now.Mounts.Any(m => !Index.IsOwn(m))) (made, now) = await TakeOverAsync(now, mount, entry);
                    else if (now.Backend == "nfs" && !IsAnothersHere(now, mount)) (made, now) = await ClaimFencedAsync(now, mount, entry);
                }

                return made ? new Claim(true, await KeepClaimAsync(now!, mount with { Epoch = now!.Epoch }, untold: null)) : new Claim(false, now);
            }
        }
        catch (CatalogAwayException) when (!volume.IsExclusive)
        {
            // Perhaps it was claimed, and only the answer was lost: the ledger tells what is true.
        }

        // Shared, and the database is away: nobody can be in our way but one who removes the volume, and that one's trash is kept until we were heard again.
        return volume.State == VolumeState.Ready ? new Claim(true, await KeepClaimAsync(volume, mount, entry)) : new Claim(false, volume);
    }

    /// <summary>Changes a volume's mounts while nobody else tells the catalog of them; afterwards tells what could not be told in between.</summary>
    async Task<T> HoldingAsync<T>(Volume volume, Func<Task<T>> change)
    {
        await _link.HoldAsync(volume.Id);
        try
        {
            return await change();
        }
        finally
        {
            if (_link.Release(volume.Id) && _link.Tell(volume.Id, volume.Name)) await TryTellAsync(volume);
        }
    }

    /// <summary>Tells the catalog of a volume's mounts. One that cannot be told of now is told of later; what was done stays done.</summary>
    async Task TryTellAsync(Volume volume)
    {
        try
        {
            await _join.TellAsync(volume.Id, volume.Name);
        }
        catch (CatalogAwayException e)
        {
            _link.Lost(e, Now);
        }
        catch (VolumeException e)
        {
            LogNotTold(volume.Name, e.Message);
        }
    }

    static bool IsAnothersHere(Volume volume, Mount mount) => volume.Access == AccessMode.SingleCaller && volume.Mounts.Any(m => m.CallerId != mount.CallerId);

    /// <summary>Claims what is free, once the hosts are shut out of its export that had it before.</summary>
    async Task<(bool Made, Volume? Now)> ClaimFencedAsync(Volume volume, Mount mount, Event entry)
    {
        await Fencing.UntilShutOutAsync(_database, volume, _host);
        return await DecideAsync(MountRows.Claim(mount, entry), SharedVolumeRows.ById(volume.Id), volume.Name, patient: false);
    }

    async Task<(bool Made, Volume? Now)> TakeOverAsync(Volume volume, Mount mount, Event entry)
    {
        // Whether they are lost for long enough is for the database to say.
        if (volume.Mounts.Any(m => !Index.IsOwn(m) && InfoOf(m.HostId).State == "live")) return (false, volume);
        await Fencing.FenceAsync(_database, volume, _host, _grace);
        var from = string.Join(", ", volume.Mounts.Where(m => !Index.IsOwn(m)).Select(m => InfoOf(m.HostId).Name).Distinct());
        var takeover = new Event
        {
            At = Now,
            Host = _host.Name,
            VolumeId = volume.Id,
            VolumeName = volume.Name,
            Kind = EventKind.Takeover,
            CallerId = mount.CallerId,
            Detail = $"from {from}, epoch {volume.Epoch + 1}",
        };
        var (made, now) = await DecideAsync(MountRows.TakeOver(mount, _grace, takeover, entry), SharedVolumeRows.ById(volume.Id), volume.Name, patient: false);
        if (made) LogTakenOver(volume.Name, from, volume.Epoch + 1);
        return (made, now);
    }

    /// <summary>Writes a claim into the ledger; one that cannot be written there is given back.</summary>
    /// <param name="untold">The event, when the database has not made the claim.</param>
    async Task<Volume> KeepClaimAsync(Volume volume, Mount mount, Event? untold)
    {
        try
        {
            await _ledger.KeepMountAsync(volume, mount, untold);
        }
        catch
        {
            if (untold is null) _link.Owe(volume.Id);
            throw;
        }

        if (untold is not null || !_link.IsOnline) _link.Owe(volume.Id);
        return Index.SetOwn(volume, [.. OwnOf(volume).Where(m => m.CallerId != mount.CallerId), mount]);
    }

    internal override Task ReleaseAsync(Volume volume, Mount mount, int left, Event entry) => LeaveAsync(
        volume, [(mount, left, entry)], left > 0 ? OwnOf(volume).Replace(mount, mount with { Count = left }) : OwnOf(volume).Remove(mount));

    internal override Task DropAsync(Volume volume, IReadOnlyList<(Mount Mount, Event Entry)> stale) => LeaveAsync(
        volume, [.. stale.Select(s => (s.Mount, 0, s.Entry))], OwnOf(volume).RemoveRange(stale.Select(s => s.Mount)));

    /// <summary>First the ledger, then the database.</summary>
    /// <returns>Whether the database was there to be told.</returns>
    Task<bool> LeaveAsync(Volume volume, IReadOnlyList<(Mount Mount, int Left, Event Entry)> left, ImmutableArray<Mount> own) => HoldingAsync(volume, async () =>
    {
        await _ledger.LeaveAsync(left);
        Index.SetOwn(volume, own);
        if (!_link.Tell(volume.Id, volume.Name)) return false;
        try
        {
            var change = Change.Of(
                MountRows.Touch(volume.Id, Now), left.SelectMany(l => (FormattableString[])[MountRows.Leave(l.Mount, l.Left), EventRows.Append(l.Entry)]));
            await _join.ApplyAsync(change, SharedVolumeRows.ById(volume.Id), volume.Name);
            _ledger.ForgetTold([.. left.Select(l => l.Entry)]);
        }
        catch (CatalogAwayException e)
        {
            _link.Doubt(volume.Id, volume.Name);
            _link.Lost(e, Now);
        }
        catch (VolumeException e)
        {
            _link.Doubt(volume.Id, volume.Name);
            LogNotTold(volume.Name, e.Message);
        }

        return true;
    });

    internal override async Task SetProvisionedAsync(Volume provisioned, Event entry)
    {
        try
        {
            if (_link.IsOnline)
            {
                await DecideAsync(VolumeRows.SetProvisioned(provisioned, entry), SharedVolumeRows.ById(provisioned.Id), provisioned.Name, patient: false);
                return;
            }
        }
        catch (CatalogAwayException)
        {
            // Told with the mount that it is part of.
        }

        await _ledger.CopyAsync(provisioned, entry);
        Index.Learn(provisioned);
        if (_link.Tell(provisioned.Id, provisioned.Name)) await TryTellAsync(provisioned);
    }
}
