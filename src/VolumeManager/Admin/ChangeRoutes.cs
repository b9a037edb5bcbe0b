using System.Collections.Immutable;
using System.Text.Json;
using Microsoft.AspNetCore.Http;
using VolumeManager.Copies;
using VolumeManager.Volumes;

namespace VolumeManager.Admin;

/// <summary>What becomes of volumes that are there: their options, their place, copies of them; and directories that become volumes.</summary>
internal static class ChangeRoutes
{
    // Nobody knows how long a copy takes. It ends when nobody waits for it any more.
    static readonly TimeSpan s_copyTime = TimeSpan.FromDays(30);
    static readonly TimeSpan s_lineTime = TimeSpan.FromMilliseconds(200);

    internal static readonly Route[] All =
    [
        new("PATCH", "/v1/volumes/{name}", "Change options of a volume; what it had before is kept in option_changes", AdminJson.Default.SetAnswer, async call =>
        {
            var request = await call.ReadAsync<SetRequest>();
            var (volume, changes) = await call.Daemon.Options.SetAsync(call["name"], request.Options, request.DryRun, call.Cancellation);
            return new SetAnswer(volume.Name, changes, EffectiveOptions.Of(volume));
        }) { Request = AdminJson.Default.SetRequest },
        new("POST", "/v1/volumes/{name}/move", "Copy a volume that nobody uses to another place, compare, and switch it over; progress is told line by line", AdminJson.Default.CopyLine, async call =>
        {
            var request = await call.ReadAsync<MoveRequest>();
            return await TellAsync(call, request.DryRun, (progress, cancellation) => call.Daemon.Copies.MoveAsync(call["name"], request.Options, request.DryRun, progress, cancellation));
        }) { Request = AdminJson.Default.MoveRequest, ContentType = "application/x-ndjson", Deadline = s_copyTime },
        new("POST", "/v1/volumes/{name}/clone", "Make a new volume with the data of this one; progress is told line by line", AdminJson.Default.CopyLine, async call =>
        {
            var request = await call.ReadAsync<CloneRequest>();
            VolumeRoutes.CheckName(request.Name);
            var options = request.Options ?? ImmutableDictionary<string, string?>.Empty;
            return await TellAsync(call, request.DryRun, (progress, cancellation) => call.Daemon.Copies.CloneAsync(call["name"], request.Name, options, request.Live, request.DryRun, progress, cancellation));
        }) { Request = AdminJson.Default.CloneRequest, ContentType = "application/x-ndjson", Deadline = s_copyTime },
        new("GET", "/v1/adoptable", "The directories of a place that are no volume's, and the volumes whose directory is not there", AdminJson.Default.AdoptableAnswer, async call =>
        {
            string[] keys = ["backend", "server", "export", "nfsopts"];
            var (found, missing) = await call.Daemon.Adoption.ScanAsync(
                keys.Where(key => call.Filters.Value(key) is not null).ToDictionary(key => key, key => call.Filters.Value(key), StringComparer.Ordinal), call.Cancellation);
            return new AdoptableAnswer(found, missing);
        })
        {
            // It makes this host mount what is named.
            Role = Role.Operator,
            Query =
            [
                QueryParameter.OneOf("backend", "Where to look: the data root, or an NFS export", "local", "nfs"), QueryParameter.Text("server", "The NFS server"),
                QueryParameter.Text("export", "The path that it exports"), QueryParameter.Text("nfsopts", "NFS mount options, as the volumes' own"),
            ],
        },
    ];

    /// <summary>What is refused before it begins is a problem like any other; from then on the last line tells how it ended.</summary>
    static async Task<object> TellAsync(Call call, bool dryRun, Func<Action<CopyProgress>, CancellationToken, Task<Volume>> copy)
    {
        CopyProgress? last = null;
        var begun = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var copying = copy(
            progress =>
            {
                Volatile.Write(ref last, progress);
                begun.TrySetResult();
            }, call.Cancellation);
        await Task.WhenAny(copying, begun.Task);
        if (copying.IsCompleted) await copying;
        return new StreamedAnswer("application/x-ndjson", async (http, _) =>
        {
            while (await Task.WhenAny(copying, Task.Delay(s_lineTime, CancellationToken.None)) != copying) await WriteAsync(http, new CopyLine(last!.Phase, last.Files, last.OfFiles, null, null));
            await WriteAsync(http, await EndAsync());
        });

        async Task<CopyLine> EndAsync()
        {
            try
            {
                var volume = await copying;
                return new CopyLine(dryRun ? "planned" : "done", last?.Files ?? 0, last?.OfFiles, call.Daemon.Exports.Of(volume).SourceOf(volume), null);
            }
            catch (VolumeException e)
            {
                return new CopyLine("failed", last?.Files ?? 0, last?.OfFiles, null, e.Message);
            }
        }
    }

    static async Task WriteAsync(HttpContext http, CopyLine line)
    {
        await http.Response.WriteAsync(JsonSerializer.Serialize(line, AdminJson.Default.CopyLine) + "\n");
        await http.Response.Body.FlushAsync();
    }
}
