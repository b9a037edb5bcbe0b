using System.CommandLine;
using System.Net;
using System.Net.Sockets;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using VolumeManager.Admin;
using VolumeManager.Catalog;
using VolumeManager.Docker;
using VolumeManager.Hosts;

namespace VolumeManager.Commands;

/// <summary><c>volman serve</c>: listens first, then opens the catalog and makes it agree with the kernel.</summary>
internal static partial class ServeCommand
{
    internal static Command Build()
    {
        var command = new Command("serve", "Serve the Docker engine of this host on a unix socket until SIGTERM. Every setting has a default; as root no option is needed.");
        var flags = SettingsBinder.AddFlags(command, [.. Setting.All.Where(s => !s.IsForCommands).Select(s => s.Key)]);
        var managed = ManagedPlugin.Flag();
        command.Options.Add(managed);
        command.SetAction((parsed, cancellation) => CommandLine.RunAsync(() =>
        {
            (Settings Settings, LogSettings Log) Bind() => SettingsBinder.Bind(parsed, flags);
            Task Serve((Settings Settings, LogSettings Log) bound, CancellationToken over)
            {
                // Nothing is looked for where it was started, and no file system is kept busy.
                Environment.CurrentDirectory = "/";
                return RunAsync(bound.Settings, bound.Log, over);
            }

            return parsed.GetValue(managed) ? ManagedPlugin.ServeAsync(Bind, Serve, cancellation) : Serve(Bind(), cancellation);
        }));
        return command;
    }

    /// <summary>Serves until <paramref name="cancellation"/> or SIGTERM.</summary>
    /// <exception cref="VolumeException">It could not start; the message says why and what to do.</exception>
    /// <exception cref="CatalogSchemaException">The catalog's schema does not fit this program.</exception>
    internal static async Task<int> RunAsync(Settings settings, LogSettings logSettings, CancellationToken cancellation)
    {
        if (!Environment.IsPrivilegedProcess) throw new VolumeException("only root can mount: run volman serve as root");
        using var state = StateDirectory.Open(settings.StateDirectory);
        var engine = new EngineGeneration();
        var opening = new TaskCompletionSource<HostDaemon>(TaskCreationOptions.RunContinuationsAsynchronously);

        using var drain = new Drain();
        await using var app = BuildApp(settings, logSettings, drain);
        var logs = app.Services.GetRequiredService<ILoggerFactory>();
        var log = logs.CreateLogger("volman");
        var api = new VolumeDriverApi(opening.Task, settings, engine, drain, logs.CreateLogger<VolumeDriverApi>());
        var gate = new AccessGate(opening.Task, settings.Timings, logs.CreateLogger<AccessGate>());
        var admin = new AdminApi(opening.Task, gate, logs.CreateLogger<AdminApi>());
        app.Run(http => AdminConnection.Of(http) is not null ? admin.HandleAsync(http) : api.HandleAsync(http));
        app.Lifetime.ApplicationStopping.Register(() =>
        {
            ListenSocket.Remove(settings.Socket);
            ListenSocket.Remove(settings.AdminSocket);
        });

        // A managed plugin is killed 10 s after SIGTERM: what runs longer than that the next start undoes.
        app.Lifetime.ApplicationStopping.Register(() => drain.Begin(settings.Timings.DrainTime));

        foreach (var variable in SettingsBinder.UnknownVariables()) LogUnknownVariable(log, variable);

        await using var service = new ServiceManager(settings.Socket, log);
        app.Lifetime.ApplicationStopping.Register(service.TellStopping);
        await app.StartAsync(cancellation);
        LogListening(log, settings.Socket);
        if (settings.AdminListen is { } listen) LogServingRemotely(log, listen);
        try
        {
            await using var daemon = await HostDaemon.OpenAsync(settings, state, engine, logs, app.Lifetime.ApplicationStopping);
            opening.SetResult(daemon);
            LogReady(log, ProgramVersion.Text, daemon.Catalog.Scope, daemon.Catalog.Index.Count, settings.Socket, daemon.Catalog.Name, Environment.TickCount64 - StartedAt);
            service.TellReady($"serving {daemon.Catalog.Index.Count} volumes, scope {daemon.Catalog.Scope}");
            var stopped = app.WaitForShutdownAsync(cancellation);
            var ended = await Task.WhenAny(stopped, daemon.Catalog.Refused);
            if (ended != stopped) await app.StopAsync(CancellationToken.None);
            await drain.EndedAsync(settings.Timings.UndoTime);
            await ended;
            return 0;
        }
        catch (Exception e) when (!opening.Task.IsCompleted)
        {
            opening.SetException(e);
            _ = opening.Task.Exception;
            await app.StopAsync(CancellationToken.None);
            if (e is OperationCanceledException) return 0;
            throw e is VolumeException or CatalogSchemaException ? e : new VolumeException($"volman cannot start ({e.GetBaseException().Message}): see to what the reason names, then start again", e);
        }
    }

    static readonly long StartedAt = Environment.TickCount64;

    static WebApplication BuildApp(Settings settings, LogSettings logSettings, Drain drain)
    {
        // The empty builder: no configuration files, no routing, no middleware that nobody asked for, and a start in a tenth of a second.
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions { ApplicationName = "volman" });
        logSettings.Apply(builder.Logging);
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.ConfigureEndpointDefaults(drain.Close);
            // RequestBody bounds what it reads, and says so in the protocol's own form.
            kestrel.Limits.MaxRequestBodySize = null;
            if (settings.AdminListen is not null) new AdminListener(settings, kestrel.ApplicationServices.GetRequiredService<ILogger<AdminListener>>()).Listen(kestrel);
            // The plugin socket last: who cannot have the other one must not leave it behind, for engines to wait at.
            kestrel.ListenUnixSocket(settings.AdminSocket, AdminConnection.MarkLocal);
            kestrel.ListenUnixSocket(settings.Socket);
        });
        builder.Services.Configure<SocketTransportOptions>(transport => transport.CreateBoundListenSocket = endpoint => Bind(settings, endpoint));
        builder.Services.Configure<HostOptions>(host => host.ShutdownTimeout = settings.Timings.DrainTime + settings.Timings.UndoTime);
        return builder.Build();
    }

    static Socket Bind(Settings settings, EndPoint endpoint)
    {
        if (endpoint is IPEndPoint) return BindRemote(endpoint);
        if (endpoint.ToString() == settings.AdminSocket) return ListenSocket.Bind(settings.AdminSocket, "--admin-socket");
        try
        {
            return ListenSocket.Bind(settings.Socket, "--socket");
        }
        catch (VolumeException)
        {
            ListenSocket.Remove(settings.AdminSocket);
            throw;
        }
    }

    static Socket BindRemote(EndPoint endpoint)
    {
        try
        {
            return SocketTransportOptions.CreateDefaultBoundListenSocket(endpoint);
        }
        catch (SocketException e)
        {
            throw new VolumeException($"admin-listen {endpoint} cannot be used ({e.Message}): choose an address of this host and a port that is free", e);
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "{Variable} is set in the environment, but is no setting of volman: see volman serve --help")]
    static partial void LogUnknownVariable(ILogger log, string variable);

    [LoggerMessage(Level = LogLevel.Information, Message = "Listening on {Socket}")]
    static partial void LogListening(ILogger log, string socket);

    [LoggerMessage(Level = LogLevel.Information, Message = "The admin API is served over TLS on {Address}")]
    static partial void LogServingRemotely(ILogger log, IPEndPoint address);

    [LoggerMessage(Level = LogLevel.Information, Message = "volman ready: version {Version}, scope {Scope}, volumes {Volumes}, socket {Socket}, catalog {Catalog}, {Milliseconds} ms after start")]
    static partial void LogReady(ILogger log, string version, string scope, int volumes, string socket, string catalog, long milliseconds);
}
