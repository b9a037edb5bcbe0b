using VolumeManager.EndToEnd.Engines;

namespace VolumeManager.EndToEnd.Packages;

/// <summary>The package goes: what goes with it, what stays, and whether it says so.</summary>
[Collection(DebianPackages.Collection)]
public sealed class DebianRemovals(DebianPackages packages, ITestOutputHelper output)
{
    const string Delete = "rm -rf --one-file-system /var/lib/volman";

    [DebianFact]
    public async Task A_removal_leaves_data_and_containers_alone_and_says_so()
    {
        await using var machine = await DebianMachine.WithPackageAsync(packages, output.WriteLine);
        await machine.DockerAsync("volume create --driver volman shop");
        var container = await DebianContainer.StartAsync(machine, "counts", "shop");

        var said = await machine.AptAsync("remove volman");

        output.WriteLine(said);
        Assert.Contains("in use by containers", said, StringComparison.Ordinal);
        Assert.Contains("  shop", said, StringComparison.Ordinal);
        Assert.Contains("/var/lib/volman/volumes", said, StringComparison.Ordinal);
        Assert.Equal("", await machine.ShAsync("ls -A /run/docker/plugins 2>/dev/null || true"));
        Assert.Equal("", await machine.ShAsync("pgrep -x volman || true"));
        await container.HasNeverNoticedAsync();

        await machine.InstallAsync(await packages.CurrentAsync());
        await machine.DockerAsync($"run --rm --network host --volume shop:/x {Image.Name} true");
        await container.HasNeverNoticedAsync();
        Assert.Equal("1", await machine.ShAsync("volman status --output json | grep -o '\"callers\":[0-9]*' | cut -d: -f2"));

        // As after a crash: nobody is there to be asked, and its socket is.
        await machine.ShAsync("systemctl kill --signal STOP volman; systemctl kill --signal KILL volman; systemctl stop volman; [ -S /run/docker/plugins/volman.sock ] || perl -MIO::Socket::UNIX -e 'IO::Socket::UNIX->new(Local => \"/run/docker/plugins/volman.sock\", Listen => 1)'");
        said = await machine.AptAsync("purge volman");
        output.WriteLine(said);
        Assert.Contains(Delete, said, StringComparison.Ordinal);
        Assert.Equal("", await machine.ShAsync("ls -A /run/docker/plugins 2>/dev/null || true"));
        await container.HasNeverNoticedAsync();

        // What it says can be done.
        await machine.DockerAsync("rm --force counts");
        await machine.ShAsync($"grep -o ' /var/lib/volman/mnt/[^ ]*' /proc/self/mountinfo | xargs --no-run-if-empty umount; {Delete}; [ ! -e /var/lib/volman ]");
        machine.Passed();
    }

    [DebianFact]
    public async Task A_purge_keeps_volumes_and_names_them_and_without_volumes_nothing_stays()
    {
        var build = await packages.CurrentAsync();
        await using var machine = await DebianMachine.BootAsync(packages, output.WriteLine);
        await machine.ImportImageAsync();
        // The manual's index is made anew by every package.
        await machine.ShAsync("mandb --quiet");
        var before = await FilesAsync(machine);

        await machine.InstallAsync(build);
        await machine.DockerAsync("volume create --driver volman shop");
        await machine.DockerAsync($"run --rm --network host --volume shop:/x {Image.Name} sh -c 'echo kept >/x/f'");
        var said = await machine.AptAsync("purge volman");
        output.WriteLine(said);
        Assert.Contains("volumes: 1", said, StringComparison.Ordinal);
        Assert.Contains(Delete, said, StringComparison.Ordinal);

        await machine.InstallAsync(build);
        Assert.Equal("kept", await machine.DockerAsync($"run --rm --network host --volume shop:/x {Image.Name} cat /x/f"));
        await machine.DockerAsync("volume rm shop");
        said = await machine.AptAsync("purge volman");
        output.WriteLine(said);
        Assert.Contains("in the trash: 1", said, StringComparison.Ordinal);

        await machine.InstallAsync(build);
        await machine.ShAsync("volman trash empty --yes");
        await Poll.UntilAsync("the trash is empty", async () => await machine.ShAsync("volman trash ls --output json") == "[]");
        // Removed first and purged later, with the daemon long gone.
        await machine.AptAsync("remove volman");
        await machine.ShAsync("systemctl stop docker.service; rm -f /exchange/*.deb");
        said = await machine.AptAsync("purge volman");
        output.WriteLine(said);
        Assert.DoesNotContain("left", said.Replace("to be left", "", StringComparison.Ordinal), StringComparison.Ordinal);
        Assert.Equal("", Differences(before, await FilesAsync(machine)));
        machine.Passed();
    }

    /// <summary>All that there is on the machine's disk and below /run, but what packages, the engine and systemd note for themselves.</summary>
    internal static async Task<string[]> FilesAsync(DebianMachine machine) => (await machine.ShAsync("""
        find / /run -xdev ! -path '/var/lib/dpkg/*' ! -path '/var/log/*' ! -path '/var/cache/*' ! -path '/var/lib/apt/*' ! -path '/var/lib/systemd/*' ! -path '/run/systemd/*' \
          ! -path '/run/docker/*' ! -path '/run/containerd/*' ! -path '/run/docker.pid' ! -path '/run/agetty.reload' ! -path '/run/log/*' ! -path '/run/udev/*' ! -path '/exchange/*' ! -path '/root/*' ! -path '/tmp/systemd-private*' ! -path '/var/tmp/systemd-private*'
        ls -d /run/docker/plugins 2>/dev/null || true
        """)).Split('\n');

    internal static string Differences(string[] before, string[] after) =>
        string.Join('\n', after.Except(before).Select(file => $"+ {file}").Concat(before.Except(after).Select(file => $"- {file}")));
}
