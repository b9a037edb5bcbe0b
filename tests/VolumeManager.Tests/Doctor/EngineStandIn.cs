using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;

namespace VolumeManager.Tests.Doctor;

/// <summary>Answers on a socket what an engine's API answers to the doctor's two questions; a real engine is asked in the end-to-end tests.</summary>
internal sealed class EngineStandIn : IAsyncDisposable
{
    readonly WebApplication _app;

    EngineStandIn(WebApplication app) => _app = app;

    internal List<(string Name, string State, string Volume, string Driver)> Containers { get; } = [];

    internal List<string> Volumes { get; } = [];

    internal static async Task<EngineStandIn> StartAsync(string socket)
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel => kestrel.ListenUnixSocket(socket));
        var engine = new EngineStandIn(builder.Build());
        engine._app.Run(http => http.Response.WriteAsync(JsonSerializer.Serialize(engine.Answer(http.Request))));
        await engine._app.StartAsync();
        return engine;
    }

    object Answer(HttpRequest request) => (request.Path.Value, request.QueryString.Value) switch
    {
        ("/containers/json", "?all=true") => Containers.Select(c => new
        {
            Id = "0123456789abcdef",
            Names = new[] { "/" + c.Name },
            c.State,
            Mounts = new object[]
            {
                new { Type = "volume", Name = c.Volume, Source = "/somewhere", Destination = "/data", c.Driver, Mode = "z", RW = true, Propagation = "" },
                new { Type = "bind", Source = "/etc", Destination = "/host", Mode = "", RW = true, Propagation = "rprivate" },
            },
        }),
        ("/volumes", _) when request.Query["filters"] == """{"driver":["v"]}""" => new { Volumes = Volumes.Select(v => new { Name = v, Driver = "v", Mountpoint = "", Scope = "local" }), Warnings = (string[]?)null },
        _ => throw new InvalidOperationException($"nobody asks {request.Path}{request.QueryString}"),
    };

    public async ValueTask DisposeAsync() => await _app.DisposeAsync();
}
