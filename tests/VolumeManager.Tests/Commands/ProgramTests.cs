using VolumeManager.Tests.Hosts;

namespace VolumeManager.Tests.Commands;

/// <summary>The executable as people and service managers use it: words and exit codes.</summary>
[Trait("Catalog", "any")]
public sealed class ProgramTests
{
    [Fact]
    public async Task It_tells_its_version() => Assert.Equal(new VolmanProcess.Ended(0, ProgramVersion.Text + "\n", ""), await VolmanProcess.RunAsync("--version"));

    [Fact]
    public async Task It_tells_how_to_use_it()
    {
        var top = await VolmanProcess.RunAsync("--help");
        Assert.Equal(0, top.ExitCode);
        foreach (var verb in new[] { "serve", "status", "migrate", "host", "volume", "mount", "trash", "event", "token" }) Assert.Matches($@"\n  {verb} +[A-Z]", top.Output);
        var serve = await VolmanProcess.RunAsync("serve", "--help");
        Assert.Equal(0, serve.ExitCode);
        foreach (var setting in VolumeManager.Commands.Setting.All.Where(s => !s.IsForCommands))
        {
            Assert.Contains("--" + setting.Key, serve.Output, StringComparison.Ordinal);
            Assert.Contains(setting.Variable, serve.Output, StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData("--nope")]
    [InlineData("nope")]
    [InlineData("serve", "--nope", "x")]
    [InlineData("serve", "--socket")]
    [InlineData]
    public async Task Wrong_usage_is_told_with_the_right_one(params string[] arguments)
    {
        var ended = await VolmanProcess.RunAsync(arguments);
        Assert.Equal(2, ended.ExitCode);
        Assert.Contains("Usage:", ended.Output + ended.Errors, StringComparison.Ordinal);
        Assert.NotEqual("", ended.Errors);
    }

    [Fact]
    public async Task A_wrong_setting_is_one_line_on_the_error_stream()
    {
        var ended = await VolmanProcess.RunAsync("serve", "--socket", "relative", "--trash-retention", "long");
        Assert.Equal(1, ended.ExitCode);
        Assert.StartsWith("volman: --socket is \"relative\": write an absolute path; --trash-retention is \"long\": write a duration", ended.Errors, StringComparison.Ordinal);
        Assert.Equal(1, ended.Errors.Count(c => c == '\n'));
        Assert.Equal("", ended.Output);
    }

    [Fact]
    public async Task The_journal_gets_a_priority_and_a_line_for_each_entry()
    {
        await using var host = new TestHost();
        using var daemon = VolmanProcess.Start([.. Serve(host)[..^2], "--socket", host.Settings.Socket, "--log-format", "systemd"]);
        await ReadyAsync(host, daemon);
        await daemon.TerminateAsync();
        Assert.Contains($"<6>Listening on {host.Settings.Socket}", daemon.Log);
        Assert.All(daemon.Log, line => Assert.Matches("^<[2-7]>[A-Zwv]", line));
    }

    [Fact]
    public async Task A_second_daemon_on_one_state_directory_is_refused_in_a_sentence_that_names_the_first()
    {
        await using var host = new TestHost();
        using var first = await DaemonProcess.StartAsync(host);
        var ended = await VolmanProcess.RunAsync([.. Serve(host), "--socket", host.Settings.Socket + "2"]);
        Assert.Equal(1, ended.ExitCode);
        Assert.Equal(
            $"volman: another volman (process {first.Pid}) uses the state directory {host.Settings.StateDirectory}: stop it, or give this one its own --state-dir\n", ended.Errors);
        Assert.Empty(await host.Engine.ListAsync());
    }

    [Fact]
    public async Task A_socket_that_another_daemon_answers_on_is_one_line_on_the_error_stream()
    {
        await using var host = await TestHost.StartNewAsync();
        await using var other = new TestHost();
        var ended = await VolmanProcess.RunAsync([.. Serve(other), "--socket", host.Settings.Socket]);
        Assert.Equal(1, ended.ExitCode);
        Assert.Equal($"volman: another daemon answers on {host.Settings.Socket}: stop it, or choose another --socket\n", ended.Errors);
        Assert.Empty(await host.Engine.ListAsync());
    }

    [Fact]
    public async Task After_a_kill_it_starts_again_where_it_was()
    {
        await using var host = new TestHost();
        using (var killed = await DaemonProcess.StartAsync(host))
        {
            Assert.Equal("", await host.Engine.CreateAsync("v"));
            Assert.Equal("", await host.Engine.MountAsync("v", "x"));
            await killed.KillAsync();
        }

        Assert.True(Path.Exists(host.Settings.Socket));
        using var again = await DaemonProcess.StartAsync(host);
        Assert.Equal(["v"], await host.Engine.ListAsync());
        Assert.Equal("x=1", await host.MountRowsAsync("v"));
        Assert.Equal(["v"], host.KernelMounts());
        Assert.Equal("", await host.Engine.UnmountAsync("v", "x"));
        Assert.Empty(host.KernelMounts());
    }

    internal static string[] Serve(TestHost host) =>
    [
        "serve", "--admin-socket", host.Settings.AdminSocket, "--state-dir", host.Settings.StateDirectory, "--mount-root", host.Settings.MountRoot, "--data-root", host.Settings.DataRoot, "--log-level", "critical",
    ];

    internal static async Task ReadyAsync(TestHost host, RunningProgram daemon)
    {
        await daemon.UntilAsync("makes its socket", () => Task.FromResult(Path.Exists(host.Settings.Socket)));
        await host.Engine.ListAsync();
    }
}
