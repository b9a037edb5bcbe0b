using System.Text.Json;
using VolumeManager.Catalog;
using VolumeManager.Tests.Commands;
using VolumeManager.Tests.Hosts;

namespace VolumeManager.Tests.Doctor;

/// <summary><c>volman doctor</c> as an operator runs it.</summary>
public sealed class DoctorCommandTests : IAsyncLifetime
{
    TestHost Host { get; } = new();

    public async Task InitializeAsync()
    {
        await Host.StartAsync();
        Assert.Equal("", await Host.Engine.CreateAsync("v"));
        Assert.Equal("", await Host.Engine.MountAsync("v", "x"));
    }

    public async Task DisposeAsync() => await Host.DisposeAsync();

    // What the machine of the tests cannot help.
    Task<VolmanProcess.Ended> RunAsync(params string[] arguments) => VolmanProcess.RunAsync(["doctor", .. arguments, "--ignore", "mounts-unseen", "containers-unseen", "--admin-socket", Host.Settings.AdminSocket], null);

    [Fact]
    public async Task Nothing_wrong_is_exit_code_0_notes_or_not()
    {
        var ended = await RunAsync("--ignore", "engine-unreachable", "--ignore", "socket-elsewhere");
        Assert.Equal((0, "Nothing is wrong with host test-host.\n", ""), (ended.ExitCode, ended.Output, ended.Errors));
        ended = await RunAsync("--ignore", "engine-unreachable");
        Assert.Equal((0, ""), (ended.ExitCode, ended.Errors));
        Assert.EndsWith($"not for {Host.Settings.Socket}", Assert.Single(await Host.FindAllAsync("socket-elsewhere", "note")).Problem, StringComparison.Ordinal);
        Assert.Matches("^NOTE      socket-elsewhere  /.*v.sock\n    Engines look for .*\n    By hand: .*\nHost test-host: 1 note; 0 can be repaired with --repair.\n$", ended.Output);
    }

    [Fact]
    public async Task What_is_wrong_is_exit_code_3_until_it_is_repaired()
    {
        await Command.OutputOfAsync("umount", Host.TargetOf("v"));
        var ended = await RunAsync("--ignore", "engine-unreachable", "socket-elsewhere");
        Assert.Equal((3, ""), (ended.ExitCode, ended.Errors));
        Assert.Equal(
            $"""
            ERROR     mount-missing  volume v
                Volume v is claimed by one caller of this host, but is not mounted at {Host.TargetOf("v")}.
                --repair drops the claims, for no container uses it.
            Host test-host: 1 error; 1 can be repaired with --repair.

            """, ended.Output);
        Assert.Equal("x=1", await Host.MountRowsAsync("v"));
        ended = await RunAsync("--only", "mount-unclaimed", "--repair");
        Assert.Equal((0, ""), (ended.ExitCode, ended.Errors));
        Assert.Equal("x=1", await Host.MountRowsAsync("v"));
        ended = await RunAsync("--repair", "--output", "json");
        Assert.Equal((0, ""), (ended.ExitCode, ended.Errors));
        var json = JsonDocument.Parse(ended.Output).RootElement;
        Assert.Equal("mount-missing", Assert.Single(json.GetProperty("repaired").EnumerateArray()).GetProperty("code").GetString());
        Assert.All(json.GetProperty("findings").EnumerateArray(), f => Assert.Equal("note", f.GetProperty("severity").GetString()));
        Assert.Equal("", await Host.MountRowsAsync("v"));
    }

    [Fact]
    public async Task Claims_are_dropped_only_with_consent()
    {
        await Host.StopAsync();
        Host.Settings = Host.Settings with { EngineSocket = Host.Settings.Socket + ".engine" };
        await using var engine = await EngineStandIn.StartAsync(Host.Settings.EngineSocket);
        await Host.StartAsync();
        var ended = await RunAsync("--repair");
        Assert.Equal((3, "volman: one repair needs consent, and there is no terminal to ask for it: say --yes\n"), (ended.ExitCode, ended.Errors));
        Assert.Contains("claim-unused  volume v", ended.Output, StringComparison.Ordinal);
        Assert.Equal("x=1", await Host.MountRowsAsync("v"));
        ended = await RunAsync("--repair", "--yes");
        Assert.Equal((0, ""), (ended.ExitCode, ended.Errors));
        Assert.StartsWith("REPAIRED  claim-unused  volume v\n", ended.Output, StringComparison.Ordinal);
        Assert.Equal("", await Host.MountRowsAsync("v"));
    }

    [Fact]
    public async Task Without_a_daemon_it_looks_at_what_it_can_see()
    {
        var settings = Host.Settings;
        await Host.StopAsync();
        string[] doctor = ["doctor", "--ignore", "mounts-unseen"];
        var ended = await VolmanProcess.RunAsync(doctor, Patient.Variables(Host));
        Assert.Equal((3, ""), (ended.ExitCode, ended.Errors));
        Assert.Matches($"^ERROR     daemon-away  {settings.AdminSocket}\n    The daemon cannot be asked .no volman answers on .*, so only its set-up was looked at.\n    By hand: start volman serve, or see its log.\nNOTE      socket-elsewhere .*\n.*\n.*\nHost [^ ]+: 1 error, 1 note; 0 can be repaired with --repair.\n$", ended.Output);

        File.Move(settings.DataRoot + "/.volman-root", settings.StateDirectory + "/away");
        Directory.Move(settings.DataRoot, settings.DataRoot + ".away");
        const string nowhere = "Host=/nowhere;Database=volman;Password=secret";
        Assert.Equal(settings.AdminSocket, Assert.Single(await Host.FindAloneAsync("daemon-away", "error", nowhere)).Subject);
        var absent = Assert.Single(await Host.FindAloneAsync("directory-absent", "error", nowhere));
        Assert.Equal(($"the directory {settings.DataRoot} is not there", false), (absent.Problem, absent.Repairable));
        Assert.Equal("volman on /nowhere", Assert.Single(await Host.FindAloneAsync("catalog-away", "error", nowhere)).Subject);
        Assert.DoesNotContain("secret", string.Join('\n', await Host.DiagnoseAloneAsync(nowhere)), StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_could_not_be_looked_at_is_told_whatever_was_asked_for()
    {
        await Host.StopAsync();
        var ended = await VolmanProcess.RunAsync(["doctor", "--only", "mount-missing"], Patient.Variables(Host));
        Assert.Equal((3, ""), (ended.ExitCode, ended.Errors));
        Assert.Matches("^ERROR     daemon-away .*\n.*\n.*\nHost [^ ]+: 1 error; 0 can be repaired with --repair.\n$", ended.Output);
        Assert.Equal(0, (await VolmanProcess.RunAsync(["doctor", "--only", "mount-missing", "--ignore", "daemon-away"], Patient.Variables(Host))).ExitCode);
    }

    /// <summary>What can be seen from here is not that host's.</summary>
    [Fact]
    public async Task Another_host_that_cannot_be_asked_is_not_taken_for_this_one()
    {
        var ended = await VolmanProcess.RunAsync(["doctor", "--admin-url", "https://127.0.0.1:9"], new Dictionary<string, string> { ["VOLMAN_TOKEN"] = AccessToken.Prefix + new string('x', 43) });
        Assert.Equal((1, ""), (ended.ExitCode, ended.Output));
        Assert.Contains("https://127.0.0.1:9", ended.Errors, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Names_that_a_terminal_would_obey_are_made_harmless()
    {
        Directory.CreateDirectory(Host.DataOf("bad\e[2J\nname"));
        var ended = await RunAsync("--only", "directory-unknown");
        Assert.Equal(3, ended.ExitCode);
        Assert.Contains("bad?[2J?name is the directory of no volume", ended.Output, StringComparison.Ordinal);
        Assert.DoesNotContain('\e', ended.Output);
    }

    [Fact]
    public async Task Wrong_usage_is_exit_code_2_and_what_could_not_be_done_is_1()
    {
        foreach (var wrong in new string[][] { ["doctor", "--output", "table"], ["doctor", "--only"], ["doctor", "--only", "mount-mising"], ["doctor", "--ignore", "nothing"], ["doctor", "all"] }) Assert.Equal(2, (await VolmanProcess.RunAsync(wrong)).ExitCode);
        VolmanProcess.AssertRefused("--admin-socket is \"here\": write an absolute path", await VolmanProcess.RunAsync("doctor", "--admin-socket", "here"));
    }
}
