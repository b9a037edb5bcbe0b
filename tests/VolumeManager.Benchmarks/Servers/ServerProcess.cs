using System.Diagnostics;
using VolumeManager.Benchmarks.Engine;

namespace VolumeManager.Benchmarks.Servers;

/// <summary>A server as a process of its own: started, waited for, ended.</summary>
internal sealed class ServerProcess : IAsyncDisposable
{
    const int LogLines = 40;
    const int LogWidth = 160;
    static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);

    readonly Workspace _workspace;
    readonly Process _process;
    readonly string? _readyText;
    readonly Queue<string> _log = [];
    readonly TaskCompletionSource<TimeSpan> _ready = new(TaskCreationOptions.RunContinuationsAsynchronously);
    long _startedAt;

    ServerProcess(Workspace workspace, string socketPath, ProcessStartInfo start, string? readyText)
    {
        _workspace = workspace;
        _process = new Process { StartInfo = start };
        _readyText = readyText;
        SocketPath = socketPath;
    }

    internal string SocketPath { get; }

    internal int Pid => _process.Id;

    /// <param name="readyText">The text of the log line that says it is ready for everything; null when its first answer says so.</param>
    internal static ServerProcess Start(Workspace workspace, string socketPath, string executable, IEnumerable<string> arguments, string? readyText)
    {
        var start = new ProcessStartInfo(executable, arguments)
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            UseShellExecute = false,
            WorkingDirectory = workspace.Root,
        };
        ClearSettings(start);
        var server = new ServerProcess(workspace, socketPath, start, readyText);
        server._process.OutputDataReceived += server.OnLine;
        server._process.ErrorDataReceived += server.OnLine;
        server._startedAt = Stopwatch.GetTimestamp();
        server._process.Start();
        workspace.Add(server);
        server._process.BeginOutputReadLine();
        server._process.BeginErrorReadLine();
        return server;
    }

    /// <summary>From exec to the line that says it is ready.</summary>
    internal async Task<TimeSpan> ReadyAsync()
    {
        var deadline = Task.Delay(Patience, _workspace.Cancelled);
        while (!_ready.Task.IsCompleted)
        {
            ThrowIfGone();
            if (deadline.IsCompleted)
                throw new BenchmarkException($"{_process.StartInfo.FileName} did not say \"{_readyText}\" within {Patience.TotalSeconds} s; the end of its log:\n{LogEnd()}");
            await Task.WhenAny(_ready.Task, Task.Delay(50, _workspace.Cancelled));
        }
        return await _ready.Task;
    }

    /// <summary>From exec to the end of its first answer, whatever it says: asked again each millisecond until there is one.</summary>
    internal async Task<TimeSpan> FirstAnswerAsync(EngineRequest request)
    {
        using var connection = new EngineConnection(SocketPath);
        while (true)
        {
            try
            {
                connection.Ask(request);
                return Stopwatch.GetElapsedTime(_startedAt);
            }
            catch (IOException) when (Stopwatch.GetElapsedTime(_startedAt) < Patience)
            {
                ThrowIfGone();
                connection.Close();
            }
            await Task.Delay(1, _workspace.Cancelled);
        }
    }

    internal void ThrowIfGone()
    {
        if (_process.HasExited)
            throw new BenchmarkException($"{_process.StartInfo.FileName} ended with code {_process.ExitCode}; the end of its log:\n{LogEnd()}");
    }

    /// <summary>After a broken connection: a process that crashes takes a moment to be gone.</summary>
    internal void ThrowIfGoing()
    {
        _process.WaitForExit(TimeSpan.FromSeconds(1));
        ThrowIfGone();
    }

    internal void Kill()
    {
        if (!_process.HasExited)
        {
            _process.Kill();
            _process.WaitForExit();
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited)
            _ = LibC.kill(_process.Id, LibC.SIGTERM);
        using var deadline = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        try
        {
            await _process.WaitForExitAsync(deadline.Token);
        }
        catch (OperationCanceledException)
        {
            Progress.Say($"{_process.StartInfo.FileName} ignored SIGTERM for 30 s: killed");
            Kill();
        }
        _workspace.Forget(this);
        _process.Dispose();
    }

    void OnLine(object sender, DataReceivedEventArgs line)
    {
        if (line.Data is null)
            return;
        if (_readyText is not null && line.Data.Contains(_readyText, StringComparison.Ordinal))
            _ready.TrySetResult(Stopwatch.GetElapsedTime(_startedAt));
        lock (_log)
        {
            _log.Enqueue(line.Data[..Math.Min(line.Data.Length, LogWidth)]);
            if (_log.Count > LogLines)
                _log.Dequeue();
        }
    }

    string LogEnd()
    {
        lock (_log)
            return string.Join('\n', _log.Select(line => "    " + line));
    }

    // The run decides every setting, and a child must find the runtime that runs this harness.
    internal static void ClearSettings(ProcessStartInfo start)
    {
        foreach (var key in start.Environment.Keys.Where(key => key.StartsWith("VOLMAN_", StringComparison.Ordinal)).ToList())
            start.Environment.Remove(key);
        if (!start.Environment.ContainsKey("DOTNET_ROOT") && Path.GetDirectoryName(Environment.GetEnvironmentVariable("DOTNET_HOST_PATH")) is { Length: > 0 } root)
            start.Environment["DOTNET_ROOT"] = root;
    }
}
