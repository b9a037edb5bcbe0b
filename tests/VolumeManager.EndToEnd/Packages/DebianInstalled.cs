using System.Diagnostics;
using VolumeManager.EndToEnd.Engines;

namespace VolumeManager.EndToEnd.Packages;

/// <summary>The package as it is on a host, under systemd and beside an engine. One machine for all tests here.</summary>
[Collection(DebianPackages.Collection)]
public sealed class DebianInstalled(DebianPackages packages, DebianInstalled.OneMachine one, ITestOutputHelper output) : IClassFixture<DebianInstalled.OneMachine>
{
    static int s_count;

    public sealed class OneMachine : IAsyncLifetime
    {
        DebianMachine? _machine;

        public Task InitializeAsync() => Task.CompletedTask;

        internal async Task<DebianMachine> MachineAsync(DebianPackages packages, ITestOutputHelper output) =>
            _machine ??= await DebianMachine.WithPackageAsync(packages, output.WriteLine);

        public async Task DisposeAsync()
        {
            _machine?.Passed();
            if (_machine is not null) await _machine.DisposeAsync();
        }
    }

    [DebianFact]
    public async Task Systemd_finds_no_fault_with_the_units()
    {
        var machine = await one.MachineAsync(packages, output);
        Assert.Equal("", await machine.ShAsync("systemd-analyze verify /usr/lib/systemd/system/volman.service /usr/lib/systemd/system/volman-announce.service 2>&1"));
        Assert.Equal("running", await machine.ShAsync("systemctl is-system-running"));
    }

    [DebianFact]
    public async Task It_mounts_where_the_engine_looks()
    {
        var machine = await one.MachineAsync(packages, output);
        Assert.Equal(
            await machine.ShAsync("readlink /proc/1/ns/mnt"),
            await machine.ShAsync($"readlink /proc/{await machine.UnitAsync("MainPID")}/ns/mnt"));
    }

    [DebianFact]
    public async Task The_manual_has_every_verb_and_renders_without_a_warning()
    {
        var machine = await one.MachineAsync(packages, output);
        Assert.Equal("", await machine.ShAsync("zcat /usr/share/man/man8/volman.8.gz | groff -man -ww -Tutf8 -z 2>&1"));
        Assert.Equal("", await machine.ShAsync("man --warnings --encoding=UTF-8 --local-file /usr/share/man/man8/volman.8.gz 2>&1 >/dev/null"));
        var page = await machine.ShAsync("MANWIDTH=200 man volman");
        foreach (var line in (await machine.ShAsync("volman --help")).Split('\n').SkipWhile(line => line != "Commands:").Skip(1))
        {
            if (line.Split(' ', StringSplitOptions.RemoveEmptyEntries) is [var verb, ..]) Assert.Contains($"volman {verb}", page, StringComparison.Ordinal);
        }
    }

    [DebianFact]
    public async Task Each_shell_completes_verbs()
    {
        var machine = await one.MachineAsync(packages, output);
        const string bash = """
            . /usr/share/bash-completion/bash_completion
            _completion_loader volman
            COMP_WORDS=(volman sta) COMP_CWORD=1 COMP_LINE='volman sta' COMP_POINT=10
            $(complete -p volman | sed 's/.*-F \([^ ]*\).*/\1/') volman sta volman 2>/dev/null
            echo ${COMPREPLY[@]}
            """;
        Assert.Equal("status", await machine.ShAsync(bash));
        // fish asks where its cursor is, which there is on a terminal only: here it shows what it would ask.
        Assert.Equal("", await machine.ShAsync("fish --no-execute /usr/share/fish/vendor_completions.d/volman.fish 2>&1"));
        Assert.Contains("suggest", await machine.ShAsync("fish --command 'complete --do-complete \"volman sta\" >/dev/null 2>&1; complete --command volman'"), StringComparison.Ordinal);
        Assert.Equal("", await machine.ShAsync("zsh -n /usr/share/zsh/vendor-completions/_volman 2>&1"));
        Assert.Equal("_volman", await machine.ShAsync("zsh -c 'autoload -U compinit && compinit -u && echo $_comps[volman]'"));
    }

    [DebianFact]
    public async Task Containers_use_its_volumes_with_no_configuration()
    {
        var machine = await one.MachineAsync(packages, output);
        var volume = NewVolume();
        await machine.DockerAsync($"volume create --driver volman --opt mode=0770 {volume}");
        await machine.DockerAsync($"run --rm --network host --volume {volume}:/x {Image.Name} sh -c 'echo hello >/x/f'");
        Assert.Equal("hello", await machine.DockerAsync($"run --rm --network host --volume {volume}:/x {Image.Name} cat /x/f"));
        Assert.Equal("770", await machine.ShAsync($"stat -c %a /var/lib/volman/volumes/{volume}"));
        await machine.ShAsync("volman status");
    }

    [DebianFact]
    public async Task Every_setting_that_the_configuration_file_shows_is_one()
    {
        var machine = await one.MachineAsync(packages, output);
        // Taking away the slashes of each line that looks like a setting must give a file that the program understands; `volman status` reads it too.
        await machine.ShAsync("""sed 's,^\( *\)// ",\1",' /etc/volman/volman.json >/tmp/all.json; [ $(grep -c '^ *"' /tmp/all.json) -ge 5 ]""");
        var command = await machine.TryAsync("sed -i -e '/database-file/d' -e '/nfs-/d' /tmp/all.json; volman status --config /tmp/all.json");
        Assert.True(command.Succeeded, command.Errors);
    }

    [DebianFact]
    public async Task A_daemon_that_hangs_is_started_anew_and_containers_go_on()
    {
        var machine = await one.MachineAsync(packages, output);
        var volume = NewVolume();
        await machine.DockerAsync($"volume create --driver volman {volume}");
        var container = await DebianContainer.StartAsync(machine, $"hang-{volume}", volume);
        var hung = await machine.UnitAsync("MainPID");
        var clock = Stopwatch.StartNew();
        await machine.ShAsync($"kill -STOP {hung}");
        await Poll.UntilAsync("another daemon serves", async () => await machine.UnitAsync("MainPID") != hung && await machine.UnitAsync("ActiveState") == "active", TimeSpan.FromMinutes(2));
        output.WriteLine($"A stopped daemon was replaced after {clock.Elapsed.TotalSeconds:0.0} s");
        Assert.Contains("Watchdog timeout", await machine.ShAsync("journalctl --unit volman --quiet --no-pager"), StringComparison.Ordinal);
        await machine.DockerAsync($"run --rm --network host --volume {volume}:/x {Image.Name} true");
        await container.HasNeverNoticedAsync();
        await machine.DockerAsync($"rm --force hang-{volume}");
    }

    [DebianFact]
    public async Task A_killed_daemon_is_back_while_the_engine_still_asks()
    {
        var machine = await one.MachineAsync(packages, output);
        var volume = NewVolume();
        await machine.DockerAsync($"volume create --driver volman {volume}");
        var container = await DebianContainer.StartAsync(machine, $"kill-{volume}", volume);
        for (var i = 0; i < 8; i++)
            await machine.ShAsync($"systemctl kill --signal KILL volman && docker run --rm --network host --volume {volume}:/x {Image.Name} true");
        await machine.UntilActiveAsync();
        await container.HasNeverNoticedAsync();
        Assert.Equal("", await machine.ShAsync("ls -A /tmp | grep -E '^(clr|dotnet)' || true"));
        await machine.DockerAsync($"rm --force kill-{volume}");
    }

    [DebianFact]
    public async Task Each_engine_that_starts_meets_the_driver()
    {
        var machine = await one.MachineAsync(packages, output);
        await EngineKnowsItAsync(machine);
        await machine.ShAsync("docker volume rm --force $(docker volume ls --quiet); systemctl restart docker");
        await EngineKnowsItAsync(machine);
    }

    [DebianFact]
    public async Task No_engine_is_started_to_meet_the_driver()
    {
        var machine = await one.MachineAsync(packages, output);
        await machine.ShAsync("systemctl stop docker.service");
        await machine.ShAsync("systemctl restart volman; systemctl start volman-announce");
        Assert.Equal("inactive", await machine.UnitAsync("ActiveState", "docker.service"));
        Assert.Equal("inactive", await machine.UnitAsync("ActiveState", "volman-announce.service"));
        await machine.ShAsync("systemctl start docker.service");
        await EngineKnowsItAsync(machine);
    }

    /// <summary>Told without asking for volumes: `docker info` lists what the engine has met.</summary>
    internal static Task EngineKnowsItAsync(DebianMachine machine) => Poll.UntilAsync("the engine has met volman",
        async () => (await machine.ShAsync("docker info --format '{{join .Plugins.Volume \" \"}}'")).Split(' ').Contains("volman"));

    static string NewVolume() => $"volume-{Interlocked.Increment(ref s_count)}";
}
