using System.Globalization;
using System.Net.Sockets;
using System.Text;
using Microsoft.Extensions.Logging;
using VolumeManager.Admin;

namespace VolumeManager.Commands;

/// <summary>Tells systemd, if it started this daemon and asks to be told, when it serves, that it still does, and when it stops (sd_notify(3), systemd.service(5)).</summary>
internal sealed partial class ServiceManager(string socket, ILogger log) : IAsyncDisposable
{
    readonly CancellationTokenSource _stopping = new();
    readonly string? _address = Environment.GetEnvironmentVariable("NOTIFY_SOCKET") is { Length: > 0 } address ? address : null;
    Task _pinging = Task.CompletedTask;

    /// <summary>The daemon serves. From now on its own answers are the sign of life that the watchdog waits for: a daemon that hangs is started anew.</summary>
    internal void TellReady(string status)
    {
        if (_address is null) return;
        Tell($"READY=1\nSTATUS={status}");
        if (WatchdogTime() is { } time) _pinging = PingAsync(time / 3);
    }

    internal void TellStopping()
    {
        if (_address is not null) Tell("STOPPING=1");
    }

    static TimeSpan? WatchdogTime() =>
        long.TryParse(Environment.GetEnvironmentVariable("WATCHDOG_USEC"), NumberStyles.None, CultureInfo.InvariantCulture, out var microseconds) && microseconds > 0
        && (Environment.GetEnvironmentVariable("WATCHDOG_PID") is not { Length: > 0 } meant || meant == Environment.ProcessId.ToString(CultureInfo.InvariantCulture))
            ? TimeSpan.FromMicroseconds(microseconds)
            : null;

    async Task PingAsync(TimeSpan period)
    {
        using var timer = new PeriodicTimer(period);
        try
        {
            do
            {
                if (await AnswersAsync(period)) Tell("WATCHDOG=1");
            }
            while (await timer.WaitForNextTickAsync(_stopping.Token));
        }
        catch (OperationCanceledException)
        {
            // It is stopping.
        }
    }

    /// <summary>Whether the plugin socket answers as it does to an engine. Asks for what needs neither disk nor database: their trouble is cured by no restart.</summary>
    async Task<bool> AnswersAsync(TimeSpan patience)
    {
        using var http = new HttpClient(new SocketsHttpHandler { ConnectCallback = (_, cancellation) => AdminLink.ConnectAsync(socket, cancellation) }) { Timeout = patience };
        try
        {
            using var answer = await http.PostAsync(new Uri("http://volman/VolumeDriver.Capabilities"), content: null, _stopping.Token);
            return answer.IsSuccessStatusCode;
        }
        catch (Exception e) when (e is HttpRequestException or TaskCanceledException && !_stopping.IsCancellationRequested)
        {
            LogNoAnswer(socket, e.GetBaseException().Message);
            return false;
        }
    }

    void Tell(string state)
    {
        // An address that begins with @ is one of the abstract namespace (unix(7)).
        var address = _address!.StartsWith('@') ? "\0" + _address[1..] : _address;
        try
        {
            using var notify = new Socket(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified);
            notify.SendTo(Encoding.UTF8.GetBytes(state), new UnixDomainSocketEndPoint(address));
        }
        catch (SocketException e)
        {
            LogNotTold(_address, e.Message);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        await _pinging;
        _stopping.Dispose();
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "The daemon's own question on {Socket} is not answered ({Reason}): if that lasts, systemd starts it anew")]
    partial void LogNoAnswer(string socket, string reason);

    [LoggerMessage(Level = LogLevel.Warning, Message = "systemd cannot be told on {Address}: {Reason}")]
    partial void LogNotTold(string address, string reason);
}
