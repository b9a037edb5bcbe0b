using System.Diagnostics;
using VolumeManager.TestSupport.Polling;

namespace VolumeManager.TestSupport.Processes;

/// <summary>A program that runs beside the test, with all that it printed. It is killed with its descendants when it is disposed of.</summary>
internal sealed class RunningProgram : IDisposable
{
    static readonly TimeSpan s_exitDeadline = TimeSpan.FromMinutes(3);

    readonly Process _process;
    readonly List<string> _lines = [];
    readonly Lock _gate = new();

    /// <param name="keepsInput">Its standard input stays open until <see cref="CloseInput"/> or the end of this process: for programs that end with it.</param>
    public RunningProgram(string name, ProcessStartInfo start, bool keepsInput = false)
    {
        Name = name;
        start.RedirectStandardOutput = start.RedirectStandardError = start.RedirectStandardInput = true;
        _process = new Process { StartInfo = start };
        _process.OutputDataReceived += (_, line) => Append(line.Data);
        _process.ErrorDataReceived += (_, line) => Append(line.Data);
        _process.Start();
        Pid = _process.Id;
        if (!keepsInput)
            CloseInput();
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
    }

    public string Name { get; }
    public bool HasExited => _process.HasExited;
    public int ExitCode => _process.ExitCode;

    /// <summary>This machine's number for the program itself, which may be a child of the process that was started.</summary>
    public int Pid { get; private set; }

    /// <summary>The lines of both streams.</summary>
    public IReadOnlyList<string> Log
    {
        get
        {
            lock (_gate)
                return [.. _lines];
        }
    }

    /// <summary>Waits for the program behind nsenter, which forks to enter a process namespace: the program is its child.</summary>
    public async Task<RunningProgram> EnteredAsync()
    {
        await UntilAsync("starts", () => Task.FromResult(ProcessTable.ChildrenOf(_process.Id) is [_]));
        Pid = ProcessTable.ChildrenOf(_process.Id).Single();
        return this;
    }

    /// <summary>Waits, and fails at once when the program ends meanwhile.</summary>
    public Task UntilAsync(string what, Func<Task<bool>> holds, TimeSpan? deadline = null) =>
        Poll.UntilAsync($"{Name}: {what}", async () => HasExited ? throw Died() : await holds(), deadline);

    public Task UntilLoggedAsync(string text, TimeSpan? deadline = null) =>
        UntilAsync($"logs '{text}'", () => Task.FromResult(Log.Any(line => line.Contains(text, StringComparison.Ordinal))), deadline);

    public void Signal(int signal) => ProcessTable.Signal(Pid, signal);

    public void CloseInput() => _process.StandardInput.Close();

    public async Task<int> TerminateAsync()
    {
        Signal(ProcessTable.SIGTERM);
        return await ExitAsync();
    }

    public async Task KillAsync()
    {
        Signal(ProcessTable.SIGKILL);
        await ExitAsync();
    }

    /// <returns>The exit code.</returns>
    public async Task<int> ExitAsync(TimeSpan? deadline = null)
    {
        try
        {
            // Not WaitForExitAsync: it also waits for the pipes, which a surviving container's shim may hold.
            await Poll.UntilAsync($"{Name} exits", () => HasExited, deadline ?? s_exitDeadline);
            return _process.ExitCode;
        }
        catch (TimeoutException e)
        {
            throw new TimeoutException($"{e.Message}\n{string.Join('\n', Log.TakeLast(50))}", e);
        }
    }

    public void Dispose()
    {
        _process.Kill(entireProcessTree: true);
        _process.WaitForExit(s_exitDeadline);
        _process.Dispose();
    }

    InvalidOperationException Died() => new($"{Name} ended with code {_process.ExitCode}:\n{string.Join('\n', Log.TakeLast(50))}");

    void Append(string? line)
    {
        if (line is null)
            return;
        lock (_gate)
            _lines.Add(line);
    }
}
