using System.Diagnostics;

namespace VolumeManager.Catalog;

/// <summary>A host's claim to look after the trash and the history of a whole cluster, by the database's clock. It is prolonged for as long as the work takes.</summary>
internal sealed class JanitorClaim(PostgresDatabase database, Guid hostId, TimeSpan time)
{
    /// <summary>Does the work if no other host is at it, and ends it when the claim is lost: to another host, or because the database cannot be told that it is kept.</summary>
    /// <param name="work">Whether it could do all; if not, another host may try next.</param>
    /// <returns>False when it was lost before the end.</returns>
    internal async Task<bool> RunAsync(Func<CancellationToken, Task<bool>> work, CancellationToken cancellation)
    {
        if (!await TryTakeAsync()) return true;
        using var claim = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        var keeping = KeepAsync(claim);
        var isDone = true;
        try
        {
            isDone = await work(claim.Token);
            return true;
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
        {
            return false;
        }
        finally
        {
            await claim.CancelAsync();
            await keeping;
            if (!isDone) await LetGoAsync();
        }
    }

    async Task KeepAsync(CancellationTokenSource claim)
    {
        for (var since = Stopwatch.GetTimestamp(); !claim.IsCancellationRequested;)
        {
            await Task.Delay(time / 4, claim.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            if (claim.IsCancellationRequested) return;
            try
            {
                var asked = Stopwatch.GetTimestamp();
                if (await TryTakeAsync()) since = asked;
                else await claim.CancelAsync();
            }
            catch (VolumeException)
            {
                // Asked again, unless it may have run out by then.
                if (Stopwatch.GetElapsedTime(since) > time / 2) await claim.CancelAsync();
            }
        }
    }

    async Task LetGoAsync()
    {
        try
        {
            await database.ApplyAsync(Change.Quiet($"UPDATE catalog SET janitor_until = now() WHERE id = 1 AND janitor_host_id = {hostId}"));
        }
        catch (VolumeException)
        {
            // It runs out.
        }
    }

    async Task<bool> TryTakeAsync() => await database.ApplyAsync(Change.Quiet($"""
        UPDATE catalog SET janitor_host_id = {hostId}, janitor_until = now() + {time}
        WHERE id = 1 AND (janitor_until IS NULL OR janitor_until < now() OR janitor_host_id = {hostId})
        """)) > 0;
}
