using System.Net;
using System.Net.Http.Headers;
using Microsoft.EntityFrameworkCore;
using VolumeManager.Admin;
using VolumeManager.Catalog;
using VolumeManager.Tests.Hosts;

namespace VolumeManager.Tests.Admin;

/// <summary>A removal with If-Match of a volume that changes while the removal is on its way: what is decided is decided by the catalog, in the statement that closes the volume.</summary>
public sealed class IfMatchTests : IAsyncLifetime, IAsyncDisposable
{
    readonly TestHost _host = new();
    HttpClient _http = null!;

    public async Task InitializeAsync()
    {
        await _host.StartAsync();
        _http = new HttpClient(new SocketsHttpHandler { ConnectCallback = (_, cancellation) => AdminLink.ConnectAsync(_host.Settings.AdminSocket, cancellation) }) { BaseAddress = new Uri("http://volman") };
        Assert.Equal("", await _host.Engine.CreateAsync("v"));
    }

    Task IAsyncLifetime.DisposeAsync() => DisposeAsync().AsTask();

    public async ValueTask DisposeAsync()
    {
        _http.Dispose();
        await _host.DisposeAsync();
    }

    async Task<EntityTagHeaderValue> SeenAsync()
    {
        using var seen = await _http.GetAsync(new Uri("/v1/volumes/v", UriKind.Relative));
        return seen.Headers.ETag!;
    }

    async Task<(HttpStatusCode Status, string Said)> RemoveAsync(EntityTagHeaderValue? tag)
    {
        using var request = new HttpRequestMessage(HttpMethod.Delete, "/v1/volumes/v");
        if (tag is not null) request.Headers.IfMatch.Add(tag);
        using var answer = await _http.SendAsync(request);
        return (answer.StatusCode, await answer.Content.ReadAsStringAsync());
    }

    /// <summary>Removes while the catalog is closed to changes, and changes the volume before it is open again.</summary>
    async Task<(HttpStatusCode Status, string Said)> RemoveWhileAsync(EntityTagHeaderValue? tag, FormattableString change)
    {
        Task<(HttpStatusCode, string)> removal;
        await using (var db = (CatalogContext)await _host.LockCatalogAsync())
        {
            removal = RemoveAsync(tag);
            // It has looked at the volume by then, and waits for its turn.
            await Task.Delay(1000);
            Assert.False(removal.IsCompleted);
            Assert.Equal(1, await db.Database.ExecuteSqlAsync($"UPDATE catalog SET revision = revision + 1"));
            Assert.Equal(1, await db.Database.ExecuteSqlAsync(change));
            await db.Database.CommitTransactionAsync();
        }

        return await removal;
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task What_is_changed_or_measured_between_the_look_and_the_removal_is_not_removed(bool isMeasured)
    {
        var tag = await SeenAsync();
        var now = DateTime.UtcNow;
        FormattableString change = isMeasured
            ? $"UPDATE volumes SET used_bytes = 1, used_files = 1, sampled_at = {now} WHERE name = 'v'"
            : (FormattableString)$"UPDATE volumes SET on_remove = 'delete', revision = (SELECT revision FROM catalog) WHERE name = 'v'";
        var (status, said) = await RemoveWhileAsync(tag, change);
        Assert.Equal(HttpStatusCode.PreconditionFailed, status);
        Assert.Contains("volume v is not any more what it was when it was looked at: look at it again, then decide", said, StringComparison.Ordinal);
        Assert.Equal("", (await _host.Engine.GetAsync("v")).Err);
        Assert.True(Directory.Exists(_host.DataOf("v")));
        await using var db = _host.OpenCatalog();
        Assert.Equal("ready", await db.Database.SqlQuery<string>($"SELECT state AS \"Value\" FROM volumes").SingleAsync());
    }

    [Fact]
    public async Task Without_If_Match_or_for_any_it_goes_whatever_was_changed()
    {
        var any = EntityTagHeaderValue.Any;
        Assert.Equal(HttpStatusCode.OK, (await RemoveWhileAsync(any, $"UPDATE volumes SET size_bytes = 1, revision = (SELECT revision FROM catalog) WHERE name = 'v'")).Status);
        Assert.Equal(HttpStatusCode.NotFound, (await RemoveAsync(any)).Status);
        Assert.Equal("", await _host.Engine.CreateAsync("v"));
        Assert.Equal(HttpStatusCode.OK, (await RemoveAsync(await SeenAsync())).Status);
        Assert.Equal(HttpStatusCode.NotFound, (await RemoveAsync(null)).Status);
    }

    [Theory]
    [InlineData("bare")]
    [InlineData("\"half")]
    [InlineData("\"a\" \"b\"")]
    [InlineData("")]
    public async Task A_condition_that_cannot_be_read_is_not_taken_for_none(string condition)
    {
        using var request = new HttpRequestMessage(HttpMethod.Delete, "/v1/volumes/v");
        Assert.True(request.Headers.TryAddWithoutValidation("If-Match", condition));
        using var answer = await _http.SendAsync(request);
        Assert.Equal(HttpStatusCode.BadRequest, answer.StatusCode);
        Assert.Contains("which is no ETag", await answer.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        Assert.Equal("", (await _host.Engine.GetAsync("v")).Err);
    }
}
