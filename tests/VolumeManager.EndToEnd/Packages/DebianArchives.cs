namespace VolumeManager.EndToEnd.Packages;

/// <summary>The archive for other distributions with systemd: a folder with a script that installs, upgrades and removes.</summary>
[Collection(DebianPackages.Collection)]
public sealed class DebianArchives(DebianPackages packages, ITestOutputHelper output)
{
    [DebianFact]
    public async Task The_archive_installs_upgrades_and_removes_without_a_package()
    {
        var build = await packages.CurrentAsync();
        var next = await packages.NextAsync();
        await using var machine = await DebianMachine.BootAsync(packages, output.WriteLine);
        await machine.ImportImageAsync();
        var before = await DebianRemovals.FilesAsync(machine);

        output.WriteLine(await InstallAsync(machine, build));
        await DebianInstalled.EngineKnowsItAsync(machine);
        Assert.Equal("", await machine.ShAsync("systemd-analyze verify volman.service volman-announce.service 2>&1"));
        Assert.Contains("volman status", await machine.ShAsync("man volman"), StringComparison.Ordinal);
        await machine.DockerAsync("volume create --driver volman shop");
        var container = await DebianContainer.StartAsync(machine, "counts", "shop");

        output.WriteLine(await InstallAsync(machine, next));
        Assert.Equal("1", await machine.ShAsync($"volman status --output json | grep -c '\"version\":\"{NextProgram.Version}\"'"));
        await container.HasNeverNoticedAsync();

        var said = await RemoveAsync(machine, next);
        Assert.Contains("  shop", said, StringComparison.Ordinal);
        Assert.Contains("rm -rf --one-file-system /var/lib/volman", said, StringComparison.Ordinal);
        await container.HasNeverNoticedAsync();

        await InstallAsync(machine, next);
        await machine.ShAsync("docker rm --force counts; docker volume rm shop; volman trash empty --yes");
        await Poll.UntilAsync("the trash is empty", async () => await machine.ShAsync("volman trash ls --output json") == "[]");
        Assert.Equal("", await RemoveAsync(machine, next));
        await machine.ShAsync("systemctl stop docker.service");
        Assert.Equal("", DebianRemovals.Differences(before, await DebianRemovals.FilesAsync(machine)));
        machine.Passed();
    }

    static async Task<string> InstallAsync(DebianMachine machine, DebianBuild build) =>
        await machine.ShAsync($"cd /root && tar -xzf {machine.Put(build.Archive)} && {Folder(build)}/install.sh 2>&1");

    async Task<string> RemoveAsync(DebianMachine machine, DebianBuild build)
    {
        var said = await machine.ShAsync($"/root/{Folder(build)}/install.sh --remove 2>&1");
        output.WriteLine(said);
        return said;
    }

    static string Folder(DebianBuild build) => Path.GetFileName(build.Archive).Replace(".tar.gz", "", StringComparison.Ordinal);
}
