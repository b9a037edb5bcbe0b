using VolumeManager.Tests.Hosts;
using static VolumeManager.Tests.Commands.ProgramTests;

namespace VolumeManager.Tests.Commands;

/// <summary>What becomes of the calls under way when SIGTERM stops the daemon.</summary>
[Trait("Catalog", "any")]
public sealed class StopTests
{
    [Fact]
    public async Task Sigterm_ends_it_with_success_and_takes_the_socket_away()
    {
        await using var host = new TestHost();
        using var daemon = VolmanProcess.Start([.. Serve(host), "--socket", host.Settings.Socket]);
        await ReadyAsync(host, daemon);
        Assert.Equal("", await host.Engine.CreateAsync("v"));
        Assert.Equal("", await host.Engine.MountAsync("v", "x"));
        Assert.Equal(0, await daemon.TerminateAsync());
        Assert.False(Path.Exists(host.Settings.Socket));
        // Running containers go on without their volume manager.
        Assert.Equal(["v"], host.KernelMounts());
    }

    [Fact]
    public async Task A_request_that_is_under_way_at_sigterm_is_answered()
    {
        await using var host = new TestHost();
        using var daemon = VolmanProcess.Start([.. Serve(host), "--socket", host.Settings.Socket]);
        await ReadyAsync(host, daemon);
        using var socket = await host.Engine.ConnectAsync();
        var request = PluginClient.Request("/VolumeDriver.Create", """{"Name":"v"}""");
        await socket.SendAsync(request.AsMemory(..^5));
        await Task.Delay(200);
        daemon.Signal(ProcessTable.SIGTERM);
        // A managed plugin has ten seconds until it is killed.
        await Task.Delay(3500);
        Assert.False(daemon.HasExited, $"volman ended with {(daemon.HasExited ? daemon.ExitCode : 0)} while a request was under way");
        await socket.SendAsync(request.AsMemory(^5..));
        Assert.Equal("", (await PluginClient.ReceiveAsync(socket)).Err);
        Assert.Equal(0, await daemon.ExitAsync(TimeSpan.FromSeconds(15)));
        Assert.True(Directory.Exists(host.DataOf("v")));
    }

    [Fact]
    public async Task Mounts_that_meet_sigterm_on_a_busy_machine_are_each_answered_or_undone()
    {
        await using var host = new TestHost();
        using var daemon = VolmanProcess.Start([.. Serve(host), "--socket", host.Settings.Socket]);
        await ReadyAsync(host, daemon);
        string[] volumes = [.. Enumerable.Range(0, 20).Select(i => $"v{i:D2}")];
        foreach (var volume in volumes) Assert.Equal("", await host.Engine.CreateAsync(volume));
        List<RunningProgram> busy = [.. Enumerable.Range(0, Environment.ProcessorCount).Select(_ => new RunningProgram("loop", new("/bin/sh", ["-c", "while :; do :; done"])))];
        try
        {
            var mounts = Enumerable.Range(0, 400).Select(i => AnswerAsync(host, volumes[i % volumes.Length], $"id{i:D3}")).ToList();
            await Task.WhenAny(mounts);
            daemon.Signal(ProcessTable.SIGTERM);
            await CheckEachAnsweredOrUndoneAsync(host, daemon, volumes, await Task.WhenAll(mounts));
        }
        finally
        {
            foreach (var loop in busy) loop.Dispose();
        }
    }

    [Fact]
    public async Task Mounts_that_outlast_the_drain_are_cancelled_undone_and_answered()
    {
        await using var host = new TestHost();
        using var daemon = VolmanProcess.Start([.. Serve(host), "--socket", host.Settings.Socket]);
        await ReadyAsync(host, daemon);
        string[] volumes = [.. Enumerable.Range(0, 20).Select(i => $"v{i:D2}")];
        foreach (var volume in volumes) Assert.Equal("", await host.Engine.CreateAsync(volume));
        List<Task<(string Volume, string Id, string? Answer)>> mounts;
        // Each volume's first Mount is in the middle of its claim until the catalog is open again, and the others wait for it.
        await using (await host.LockCatalogAsync())
        {
            mounts = [.. Enumerable.Range(0, 100).Select(i => AnswerAsync(host, volumes[i % volumes.Length], $"id{i:D3}"))];
            await Task.WhenAny(Task.WhenAll(mounts), Task.Delay(500));
            daemon.Signal(ProcessTable.SIGTERM);
            await Task.WhenAny(Task.WhenAll(mounts), Task.Delay(Timings.Real.DrainTime + TimeSpan.FromSeconds(1)));
        }

        var answers = await Task.WhenAll(mounts);
        Assert.All(answers, answer => Assert.NotNull(answer.Answer));
        await CheckEachAnsweredOrUndoneAsync(host, daemon, volumes, answers);
    }

    /// <summary>Whoever was told of success has its mount, and nobody else has.</summary>
    static async Task CheckEachAnsweredOrUndoneAsync(TestHost host, RunningProgram daemon, IEnumerable<string> volumes, IReadOnlyList<(string Volume, string Id, string? Answer)> answers)
    {
        Assert.Equal(0, await daemon.ExitAsync(Timings.Real.LongestStop));
        var mounted = answers.Where(a => a.Answer == "").ToLookup(a => a.Volume, a => a.Id + "=1", StringComparer.Ordinal);
        foreach (var volume in volumes) Assert.Equal(string.Join(' ', mounted[volume].Order(StringComparer.Ordinal)), await host.MountRowsAsync(volume));
        Assert.Equal(mounted.Select(m => m.Key).Order(StringComparer.Ordinal), host.KernelMounts());
    }

    /// <summary>Mounts; the answer is empty for success, and null when the connection was closed without one.</summary>
    static async Task<(string Volume, string Id, string? Answer)> AnswerAsync(TestHost host, string volume, string id)
    {
        try
        {
            var reply = await host.Engine.CallAsync("/VolumeDriver.Mount", $$"""{"Name":"{{volume}}","ID":"{{id}}"}""");
            return (volume, id, reply.Aborted ? null : reply.Err);
        }
        catch (System.Net.Sockets.SocketException)
        {
            return (volume, id, null);
        }
    }
}
