using VolumeManager.Benchmarks.Engine;
using VolumeManager.Benchmarks.Reports;
using VolumeManager.Benchmarks.Servers;

namespace VolumeManager.Benchmarks;

/// <summary>What every measurement needs: the options, the servers, the report, and the place where faults are gathered.</summary>
internal sealed class BenchmarkRun : IDisposable
{
    readonly List<string> _faults = [];

    internal BenchmarkRun(BenchmarkOptions options)
    {
        Options = options;
        Workspace = new Workspace(options.WorkDirectory);
        NullServers = new NullServers(Workspace);
        Homes = options.NullOnly ? null : new FilledHomes(Workspace, options.Volman);
        Report = new Report();
    }

    internal BenchmarkOptions Options { get; }

    internal Workspace Workspace { get; }

    internal NullServers NullServers { get; }

    /// <summary>Null when only the null servers are measured.</summary>
    internal FilledHomes? Homes { get; }

    internal Report Report { get; }

    /// <summary>A full run's time, or the shorter one of a quick run.</summary>
    internal TimeSpan Time(double full, double quick) => TimeSpan.FromSeconds(Options.Quick ? quick : full);

    internal VolmanHome NewHome(string name) => new(Workspace, Options.Volman, name);

    internal async Task DescribeAsync()
    {
        await NullServers.CompileAsync();
        var version = Options.NullOnly ? "not measured" : await Machine.VersionOfAsync(Options.Volman);
        Report.Text(await Machine.DescribeAsync(Workspace.Root, version, Options.Quick));
        if (NullServers.WhyNoC is { } why)
            Report.Text($"The columns of the C null server are missing: {why}.");
    }

    internal LoadResult Load(string what, ServerProcess server, int workers, LoadLimit limit, Func<int, Operation> script, bool keep = false, int[]? counts = null)
    {
        var result = Engine.Load.Run(server.SocketPath, workers, limit, script, keep, counts, Workspace.Cancelled);
        if (result.FirstFault is not null)
        {
            Note($"{what}, {workers} workers: {result.Faults} failures beside {result.Latencies.Count} answers, the first: {result.FirstFault}");
            server.ThrowIfGoing();
        }
        return result;
    }

    /// <summary>A measurement that cannot go on ends, and the next one begins: what was measured is not lost.</summary>
    internal async Task KeepingFaultsAsync(Func<Task> measurement)
    {
        try
        {
            await measurement();
        }
        catch (BenchmarkException fault)
        {
            Workspace.Cancelled.ThrowIfCancellationRequested();
            Note(fault.Message);
        }
    }

    /// <returns>The exit code.</returns>
    internal int Finish()
    {
        if (_faults.Count > 0)
            Report.Text("## Failed\n\n" + string.Join('\n', _faults.Select(fault => $"- {fault}")));
        if (Options.Output is { } file)
            Report.Save(file);
        return _faults.Count == 0 ? 0 : 1;
    }

    void Note(string fault)
    {
        // Loads of several servers run at the same time.
        lock (_faults)
            _faults.Add(fault);
        Progress.Say(fault);
    }

    public void Dispose() => Workspace.Dispose();
}
