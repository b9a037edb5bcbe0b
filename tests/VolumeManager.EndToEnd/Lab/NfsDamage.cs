namespace VolumeManager.EndToEnd.Lab;

/// <summary>What can befall a real NFS server is found by <c>volman doctor</c> on a host that uses it, and gone when it was put right.</summary>
[Collection(Laboratory.Collection)]
public sealed class NfsDamage(Laboratory lab, ITestOutputHelper output)
{
    // A file system of its own: within one, NFS 4 knows the options of the outer export only.
    const string Place = "/srv/export/damaged";

    [LabFact]
    public async Task A_server_that_begins_to_squash_root_is_told_as_one_where_no_volume_can_be_made()
    {
        await using var scene = await lab.SceneAsync(output);
        var volume = await MakeAsync(scene, 81);
        await scene.One.RunAsync(volume, "echo written > /x/f");
        await scene.One.IsWellAsync("export-unwritable");

        await scene.Server.ShAsync(Export("root_squash", 81));
        await scene.One.TellsAsync("export-unwritable", "error", "volumes cannot be made in h0:/damaged with the owners that they should have", "h0 takes away root's rights (root_squash): export /damaged with no_root_squash");
        await scene.Server.ShAsync(Export("no_root_squash", 81));
        await scene.One.IsWellAsync("export-unwritable");
        Assert.Equal(volume, await scene.Server.ShAsync($"ls -A {Place} | grep -v '^[.]trash$'"));

        await RemoveAsync(scene, volume);
        await scene.EndsCleanAsync();
    }

    [LabFact]
    public async Task A_server_that_came_back_with_another_disk_is_told_until_the_containers_were_restarted()
    {
        await using var scene = await lab.SceneAsync(output);
        var volume = await MakeAsync(scene, 82);
        await scene.One.HoldAsync(volume, "holds");
        await scene.One.IsWellAsync("mount-stale");

        await scene.Server.ShAsync($"exportfs -u '*:{Place}'; exportfs -f; umount -l {Place}; mount -t tmpfs tmpfs {Place}; mkdir {Place}/{volume}; {Export("no_root_squash", 83)}");
        await scene.One.TellsAsync("mount-stale", "error", $"the NFS server h0 does not know the mount of volume {volume} on this host any more", "restart the containers of this host that use it");
        // What it has read the kernel may remember for a minute; what it writes the server has to take.
        Assert.Contains("Stale file handle", (await scene.One.TryAsync("docker exec holds touch /x/new")).Errors, StringComparison.OrdinalIgnoreCase);
        await scene.One.DockerAsync("restart --time 0 holds");
        await scene.One.IsWellAsync("mount-stale");
        Assert.Equal("", await scene.One.DockerAsync("exec holds ls /x/"));

        await scene.One.DockerAsync("rm --force holds");
        await RemoveAsync(scene, volume);
        await scene.EndsCleanAsync();
    }

    static string Export(string squash, int id) => $"exportfs -o rw,sync,no_subtree_check,{squash},insecure,fsid={id} '*:{Place}'";

    static async Task<string> MakeAsync(LabScene scene, int id)
    {
        await scene.Server.ShAsync($"mkdir -p {Place}; mount -t tmpfs -o mode=755 tmpfs {Place}; {Export("no_root_squash", id)}");
        return await scene.CreateVolumeAsync(scene.One, "-o export=/damaged");
    }

    static async Task RemoveAsync(LabScene scene, string volume)
    {
        await scene.One.DockerAsync($"volume rm {volume}");
        await Poll.ForAsync("0", () => scene.One.ExportsAsync("damaged"));
        await scene.Server.ShAsync($"exportfs -u '*:{Place}'; exportfs -f; umount -l {Place}; rmdir {Place}");
    }
}
