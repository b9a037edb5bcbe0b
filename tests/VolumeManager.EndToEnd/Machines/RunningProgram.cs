using System.Diagnostics;

namespace VolumeManager.EndToEnd.Machines;

/// <summary>A daemon inside a machine, with all that it printed. <see cref="Pid"/> is the host's number for it.</summary>
internal sealed class RunningProgram : IDisposable
{
    static readonly TimeSpan s_exitDeadline = TimeSpan.FromSeconds(60);

    readonly Process _nsenter;
    readonly List<string> _lines = [];
    readonly Lock _gate = new();

    public RunningProgram(string name, ProcessStartInfo start)
    {
        Name = name;
        start.RedirectStandardOutput = start.RedirectStandardError = start.RedirectStandardInput = true;
        _nsenter = new Process { StartInfo = start };
        _nsenter.OutputDataReceived += (_, line) => Append(line.Data);
        _nsenter.ErrorDataReceived += (_, line) => Append(line.Data);
        _nsenter.Start();
        _nsenter.StandardInput.Close();
        _nsenter.BeginOutputReadLine();
        _nsenter.BeginErrorReadLine();
    }

    public string Name { get; }
    public bool HasExited => _nsenter.HasExited;
    public int Pid { get; private set; }

    public IReadOnlyList<string> Log
    {
        get
        {
            lock (_gate)
                return [.. _lines];
        }
    }

    /// <summary>nsenter forks to enter the process namespace, so the program is its child.</summary>
    public async Task<RunningProgram> EnteredAsync()
    {
        await Poll.UntilAsync($"{Name} starts", () => HasExited ? throw Died() : (Pid = OnlyChild()) != 0);
        return this;
    }

    /// <summary>Waits, and gives up at once when the program dies meanwhile.</summary>
    public Task UntilAsync(string what, Func<Task<bool>> holds, TimeSpan? deadline = null) =>
        Poll.UntilAsync($"{Name}: {what}", async () => HasExited ? throw Died() : await holds(), deadline);

    public Task UntilLoggedAsync(string text, TimeSpan? deadline = null) =>
        UntilAsync($"logs '{text}'", () => Task.FromResult(Log.Any(line => line.Contains(text, StringComparison.Ordinal))), deadline);

    public async Task<int> TerminateAsync()
    {
        ProcessTable.Signal(Pid, ProcessTable.SIGTERM);
        return await ExitAsync();
    }

    public async Task KillAsync()
    {
        ProcessTable.Signal(Pid, ProcessTable.SIGKILL);
        await ExitAsync();
    }

    public void Dispose() => _nsenter.Dispose();

    async Task<int> ExitAsync()
    {
        try
        {
            // Not WaitForExitAsync: it also waits for the pipes, which a surviving container's shim may hold.
            await Poll.UntilAsync($"{Name} exits", () => HasExited, s_exitDeadline);
            return _nsenter.ExitCode;
        }
        catch (TimeoutException e)
        {
            throw new TimeoutException($"{e.Message}\n{string.Join('\n', Log.TakeLast(50))}", e);
        }
    }

    int OnlyChild() => ProcessTable.ChildrenOf(_nsenter.Id) is [var child] ? child : 0;

    InvalidOperationException Died() => new($"{Name} ended with code {_nsenter.ExitCode}:\n{string.Join('\n', Log.TakeLast(50))}");

    void Append(string? line)
    {
        if (line is null)
            return;
        lock (_gate)
            _lines.Add(line);
    }
}
