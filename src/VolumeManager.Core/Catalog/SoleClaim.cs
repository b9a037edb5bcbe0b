using System.Diagnostics;
using System.Runtime.CompilerServices;

namespace VolumeManager.Catalog;

/// <summary>A host's claim to do alone, for a whole cluster, what need not be done twice; by the database's clock. It is prolonged for as long as the work takes.</summary>
/// <param name="role">What the columns of the table <c>catalog</c> begin with that tell who does it, and until when.</param>
internal sealed class SoleClaim(PostgresDatabase database, Guid hostId, string role, TimeSpan time)
{
    /// <summary>Does the work if no other host is at it, and ends it when the claim is lost: to another host, or because the database cannot be told that it is kept.</summary>
    /// <param name="work">Whether it could do all; if not, another host may try next.</param>
    /// <returns>False when it was lost before the end.</returns>
    internal async Task<bool> RunAsync(Func<CancellationToken, Task<bool>> work, CancellationToken cancellation)
    {
        if (!await TryTakeAsync()) return true;
        using var claim = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        var keeping = KeepAsync(claim);
        var isDone = false;
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
            await SetAsync($"UPDATE catalog SET {role}_until = now() WHERE id = 1 AND {role}_host_id = {{0}}", hostId);
        }
        catch (VolumeException)
        {
            // It runs out.
        }
    }

    Task<bool> TryTakeAsync() => SetAsync(
        $"""
        UPDATE catalog SET {role}_host_id = {"{0}"}, {role}_until = now() + {"{1}"}
        WHERE id = 1 AND ({role}_until IS NULL OR {role}_until <= now() OR {role}_host_id = {"{0}"})
        """,
        hostId, time);

    async Task<bool> SetAsync(string sql, params object[] values) => await database.ApplyAsync(Change.Quiet(FormattableStringFactory.Create(sql, values))) > 0;
}
