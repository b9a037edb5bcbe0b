using System.Diagnostics;
using VolumeManager.EndToEnd.Engines;

namespace VolumeManager.EndToEnd.Packages;

/// <summary>A newer package over an older one, while containers use volumes.</summary>
[Collection(DebianPackages.Collection)]
public sealed class DebianUpgrades(DebianPackages packages, ITestOutputHelper output)
{
    [DebianFact]
    public async Task Containers_do_not_notice_an_upgrade_and_others_start_meanwhile()
    {
        var next = await packages.NextAsync();
        await using var machine = await DebianMachine.WithPackageAsync(packages, output.WriteLine);
        await machine.DockerAsync("volume create --driver volman shop");
        var container = await DebianContainer.StartAsync(machine, "counts", "shop");
        await machine.ShAsync("sed -i 's,// \"trash-retention\": \"24h\",\"trash-retention\": \"48h\",' /etc/volman/volman.json; grep '^  \"trash-retention' /etc/volman/volman.json");

        var clock = Stopwatch.StartNew();
        var upgrading = machine.InstallAsync(next);
        var runs = 0;
        var longest = TimeSpan.Zero;
        for (; !upgrading.IsCompleted || runs < 2; runs++)
        {
            var began = clock.Elapsed;
            await machine.DockerAsync($"run --rm --network host --volume shop:/x {Image.Name} sh -c 'echo {runs} >>/x/runs'");
            longest = clock.Elapsed - began > longest ? clock.Elapsed - began : longest;
        }
        await upgrading;
        output.WriteLine($"{runs} containers ran during the upgrade, the longest took {longest.TotalSeconds:0.0} s");

        Assert.Equal(NextProgram.Version, (await machine.ShAsync("volman --version")).Split('+')[0]);
        Assert.Equal("1", await machine.ShAsync($"volman status --output json | grep -c '\"version\":\"{NextProgram.Version}\"'"));
        await container.HasNeverNoticedAsync();
        Assert.Equal(string.Join('\n', Enumerable.Range(0, runs)), await machine.DockerAsync("exec counts cat /x/runs"));
        // Their own settings are kept without a question.
        Assert.Contains("48h", await machine.ShAsync("cat /etc/volman/volman.json"), StringComparison.Ordinal);
        Assert.Equal("1", await machine.ShAsync("volman status --output json | grep -o '\"callers\":[0-9]*' | cut -d: -f2"));
        machine.Passed();
    }
}
