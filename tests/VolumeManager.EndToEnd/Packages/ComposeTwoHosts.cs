using System.Diagnostics;
using VolumeManager.EndToEnd.Engines;

namespace VolumeManager.EndToEnd.Packages;

/// <summary>
/// docker-compose.yml, unmodified, profile `cluster`: two hosts in containers, with PostgreSQL and an NFS server. It needs a kernel that can mount
/// NFS, so it runs on a host of the laboratory; its images are built here, and carried there.
/// </summary>
[Collection(ImageBuilds.Collection)]
public sealed class ComposeTwoHosts(ImageBuilds builds, ITestOutputHelper output)
{
    static readonly TimeSpan s_patience = TimeSpan.FromMinutes(8);
    const string Show = "docker-compose --profile cluster run --rm -T show-cluster";

    // The other way to see it: all in the background.
    const string Up = """
        set -e; compose="docker-compose --profile cluster"
        $compose up --detach >&2; test "$(docker wait volman-demo-show-cluster-1)" = 0; $compose logs --no-log-prefix show-cluster
        """;

    [ComposeLabFact]
    [Trait("Tier", "full")]
    public async Task The_demonstration_of_two_hosts_shares_a_volume_and_finds_all_after_down_and_up()
    {
        var engine = await builds.CompiledAsync(EngineKind.Docker28, output);
        var clock = Stopwatch.StartNew();
        await engine.TakeInAsync("postgres:17");
        (await engine.ComposeAsync(s_patience, "--profile", "cluster", "build")).MustSucceed();
        var images = engine.Folder["images.tar"];
        await engine.DockerAsync("save", "--output", images, "volman:latest", "volman-demo-host", "volman-demo-nfs", "postgres:17");
        Note(clock, "images are built");
        await using var lab = new ComposeLab(engine.Folder["compose"]);
        await lab.UpAsync(images, engine.Clone);
        File.Delete(images);
        Note(clock, "the laboratory has them");
        try
        {
            Assert.Contains("deploy/secrets/daemon-connection", await lab.ShAsync("deploy/make-secrets"), StringComparison.Ordinal);
            Assert.Equal("", await lab.ShAsync("deploy/make-secrets"));
            var first = await ComposeShow.RunAsync(() => lab.TryAsync(Show, s_patience), output);
            first.Steps(6).Says("from one").Says("in use on host two").Kept(1);

            await lab.ShAsync("docker-compose --profile '*' down");
            Note(clock, "it is down");
            Assert.Equal("", await lab.ShAsync($"docker ps --all --quiet --filter {ComposeShow.Project}"));
            var second = await ComposeShow.RunAsync(() => lab.TryAsync(Up, s_patience), output);
            second.Steps(6).Kept(2).Says(first.Lines("   show of ")[0]);
        }
        catch
        {
            output.WriteLine((await lab.TryAsync("docker-compose --profile cluster logs --tail=30", s_patience)).Output);
            throw;
        }

        await lab.ShAsync("docker-compose --profile '*' down --volumes");
        foreach (var things in ComposeShow.Things)
            Assert.Equal("", await lab.ShAsync($"docker {string.Join(' ', things)} --quiet --filter {ComposeShow.Project}"));
        Note(clock, "nothing of it is left");
    }

    void Note(Stopwatch clock, string what) => output.WriteLine($"{clock.Elapsed.TotalSeconds:0} s: {what}");
}
