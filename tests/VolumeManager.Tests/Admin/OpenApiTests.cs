using System.Text.Json;
using VolumeManager.Admin;
using VolumeManager.Tests.Docker;
using VolumeManager.Tests.Hosts;

namespace VolumeManager.Tests.Admin;

/// <summary>The admin API against its own document: what is checked in is what is served, and each operation does as it is told there, on a real daemon.</summary>
public sealed class OpenApiTests(RunningHost running) : IClassFixture<RunningHost>, IDisposable
{
    const string Renew = "VOLMAN_RENEW_OPENAPI";

    readonly TestHost _host = running.Host;
    readonly OperatorClient _operator = OperatorClient.Of(running.Host);

    public void Dispose() => _operator.Dispose();

    [Fact]
    public async Task The_document_that_is_served_is_the_one_that_is_checked_in()
    {
        var file = Path.Combine(Repository(), "docs", "openapi.json");
        if (Environment.GetEnvironmentVariable(Renew) is { Length: > 0 }) await File.WriteAllTextAsync(file, OpenApi.Text);
        Assert.True(
            File.Exists(file) && await File.ReadAllTextAsync(file) == OpenApi.Text,
            $"docs/openapi.json is not what the routes and their types say: run {Renew}=1 dotnet test tests/VolumeManager.Tests --filter {nameof(OpenApiTests)}, and see to what has changed for those who use it");
        var served = await _operator.SendAsync("GET", "/v1/openapi.json");
        Assert.Equal((200, "application/json"), (served.Status, served.ContentType));
        Assert.True(JsonElement.DeepEquals(JsonDocument.Parse(OpenApi.Text).RootElement, served.Json));
    }

    /// <summary>A request to each operation, in the order of the document. A new operation needs one too.</summary>
    async Task<(string Path, string? Body, int Status)> SampleAsync(string operation)
    {
        switch (operation)
        {
            case "postVolumes": return ("/v1/volumes", """{"name": "walked", "options": {"label.team": "web", "size": "1G"}}""", 200);
            case "getVolumes":
                await MadeAsync("used");
                Assert.Equal("", await _host.Engine.MountAsync("used", "caller"));
                return ("/v1/volumes?limit=2", null, 200);
            case "getVolumesName": return ("/v1/volumes/used", null, 200);
            case "deleteVolumesName":
                await MadeAsync("removed");
                return ("/v1/volumes/removed", null, 200);
            case "patchVolumesName":
                await MadeAsync("changed");
                return ("/v1/volumes/changed", """{"options": {"size": "2G", "label.team": null}}""", 200);
            case "postVolumesNameMove":
                Directory.CreateDirectory(_host.DataOf("moved-from"));
                Assert.Equal("", await _host.Engine.CreateAsync("moved", new { path = "moved-from" }));
                return ("/v1/volumes/moved/move", """{"options": {"backend": "local"}, "dry_run": true}""", 200);
            case "postVolumesNameClone":
                await MadeAsync("cloned");
                return ("/v1/volumes/cloned/clone", """{"name": "clone", "options": {"label.copy": "yes"}, "dry_run": true}""", 200);
            case "getDoctor": return ("/v1/doctor", null, 200);
            case "postDoctor": return ("/v1/doctor", """{"codes": []}""", 200);
            case { } report when report.StartsWith("getReports", StringComparison.Ordinal): return ($"/v1/reports/{report[10..].ToLowerInvariant()}?limit=5", null, 200);
            case "getAdoptable":
                Directory.CreateDirectory(_host.DataOf("nobodys"));
                return ("/v1/adoptable?backend=local", null, 200);
            case "postTrashVolumeRestore": return ($"/v1/trash/{await TrashedAsync("restored")}/restore", """{"name": "restored-as"}""", 200);
            case "deleteTrashVolume": return ($"/v1/trash/{await TrashedAsync("purged")}", null, 200);
            // What it answers for a host that is there is tested in clusters.
            case "postHostsNameEvict": return ("/v1/hosts/nobody/evict", """{"force": true}""", TestHost.IsGlobal ? 404 : 409);
            case "getEvents": return ("/v1/events?limit=50&since=2026-01-01T00:00:00Z", null, 200);
            case "postTokens": return ("/v1/tokens", """{"name": "walked", "role": "viewer", "expires_at": "2999-01-01T00:00:00Z"}""", 200);
            case "deleteTokensName":
                Assert.Equal(200, (await _operator.SendAsync("POST", "/v1/tokens", """{"name": "gone", "role": "operator"}""")).Status);
                return ("/v1/tokens/gone", null, 200);
            case "getStatus" or "getExports" or "getOpenapi" or "getMounts" or "getTrash" or "getHosts" or "getTokens": return ($"/v1/{operation[3..].ToLowerInvariant().Replace("openapi", "openapi.json", StringComparison.Ordinal)}", null, 200);
            case "deleteTrash": return ("/v1/trash", null, 200);
            default: throw new InvalidOperationException($"the operation {operation} has no sample: add one here");
        }
    }

    async Task MadeAsync(string name) => Assert.Equal(200, (await _operator.SendAsync("POST", "/v1/volumes", $$"""{"name": "{{name}}"}""")).Status);

    async Task<string> TrashedAsync(string name)
    {
        await MadeAsync(name);
        var removed = await _operator.SendAsync("DELETE", $"/v1/volumes/{name}");
        return removed.Json.GetProperty("id").GetString()!;
    }

    [Fact]
    public async Task Every_operation_answers_as_the_document_says()
    {
        var document = JsonDocument.Parse(OpenApi.Text).RootElement;
        var check = new SchemaCheck(document);
        foreach (var (_, method, operation) in Operations(document))
        {
            var name = operation.GetProperty("operationId").GetString()!;
            var (path, body, status) = await SampleAsync(name);
            var reply = await _operator.SendAsync(method, path, body);
            Assert.True(status == reply.Status, $"{name}: {reply.Status} {reply.Json}");
            var content = ContentOf(check, operation, status);
            Assert.True(content.TryGetProperty(reply.ContentType, out var told), $"{name}: {reply.ContentType} is not told of");
            if (reply.ContentType.EndsWith("json", StringComparison.Ordinal)) Assert.Empty(check.Faults(told.GetProperty("schema"), reply.Json));
        }
    }

    [Fact]
    public async Task Every_operation_refuses_what_the_document_does_not_tell_of()
    {
        var document = JsonDocument.Parse(OpenApi.Text).RootElement;
        var check = new SchemaCheck(document);
        foreach (var (path, method, operation) in Operations(document))
        {
            // A name that there is nothing of: were the request not refused, it would do nothing.
            var plain = path.Replace("{name}", "no-such", StringComparison.Ordinal).Replace("{volume}", "no-such", StringComparison.Ordinal);
            List<(string Path, string? Body)> wrong = [($"{plain}?wrong=1", null), ($"{plain}?Limit=1", null)];
            if (operation.TryGetProperty("parameters", out var parameters))
            {
                foreach (var parameter in parameters.EnumerateArray().Where(p => p.GetProperty("in").GetString() == "query"))
                {
                    var (name, schema) = (parameter.GetProperty("name").GetString(), parameter.GetProperty("schema"));
                    wrong.AddRange([($"{plain}?{name}=", null), ($"{plain}?{name}=true&{name}=true", null)]);
                    if (schema.GetProperty("type").GetString() is "integer" or "boolean" || schema.TryGetProperty("format", out _) || schema.TryGetProperty("enum", out _)) wrong.Add(($"{plain}?{name}=x%00y", null));
                    if (schema.TryGetProperty("maximum", out var most)) wrong.AddRange([($"{plain}?{name}=0", null), ($"{plain}?{name}={most.GetInt64() + 1}", null)]);
                }
            }

            string[] bodies = operation.TryGetProperty("requestBody", out _) ? ["{", "null", "[]", "\"x\"", "{\"nothing\": 1}", "{\"name\": 1}"] : ["{}"];
            wrong.AddRange(bodies.Select(body => (plain, (string?)body)));
            foreach (var (asked, body) in wrong)
            {
                var reply = await _operator.SendAsync(method, asked, body);
                Assert.True(reply.Status == 400, $"{method} {asked} {body}: {reply.Status} {reply.Json}");
                Assert.Equal("application/problem+json", reply.ContentType);
                Assert.Empty(check.Faults(ContentOf(check, operation, 400).GetProperty(reply.ContentType).GetProperty("schema"), reply.Json));
            }
        }
    }

    [Fact]
    public void Every_operation_says_what_it_is_and_for_whom()
    {
        var operations = Operations(JsonDocument.Parse(OpenApi.Text).RootElement).ToList();
        Assert.Equal(operations.Count, operations.Select(o => o.Operation.GetProperty("operationId").GetString()).Distinct().Count());
        Assert.All(operations, o => Assert.Matches("^[A-Z].*[^.]$", o.Operation.GetProperty("summary").GetString()));
        Assert.All(operations, o => Assert.Matches(o.Method == "GET" && o.Path != "/v1/adoptable" ? "viewer|unix socket alone" : "operator|unix socket alone", o.Operation.GetProperty("description").GetString()));
    }

    static IEnumerable<(string Path, string Method, JsonElement Operation)> Operations(JsonElement document) => document.GetProperty("paths").EnumerateObject()
        .SelectMany(path => path.Value.EnumerateObject().Select(o => (path.Name, o.Name.ToUpperInvariant(), o.Value)));

    static JsonElement ContentOf(SchemaCheck check, JsonElement operation, int status)
    {
        var responses = operation.GetProperty("responses");
        return (status == 200 ? responses.GetProperty("200") : check.Resolve(responses.GetProperty("default").GetProperty("$ref").GetString()!)).GetProperty("content");
    }

    static string Repository()
    {
        var at = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(at.FullName, "VolumeManager.sln"))) at = at.Parent ?? throw new InvalidOperationException("the tests do not lie within the repository");
        return at.FullName;
    }
}
