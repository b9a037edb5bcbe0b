using VolumeManager.EndToEnd.Engines;

namespace VolumeManager.EndToEnd.Packages;

/// <summary>The image that eng/image.sh builds from the real Dockerfile, and how it serves an engine.</summary>
[Collection(ImageBuilds.Collection)]
public sealed class ImageUse(ImageBuilds builds, ITestOutputHelper output)
{
    const long Limit = 150_000_000;
    const string Container = "volman";
    const string Small = "busybox";

    [Theory]
    [Builder(EngineKind.Docker28)]
    [Builder(EngineKind.Installed)]
    public async Task The_image_is_small_and_says_which_version_and_revision_it_is(EngineKind kind)
    {
        var engine = await builds.BuiltAsync(kind, output);
        var size = await engine.SizeOfAsync(ImageBuilds.Image);
        var version = ReleaseTools.Version;

        output.WriteLine($"size: {size / 1e6:0.0} MB; of it /opt/volman: {await InImageAsync(engine, "du -s --block-size=1 /opt/volman | cut -f1")} bytes");
        Assert.True(size < Limit, $"The image has {size} bytes, {Limit} are the limit.");
        Assert.Equal(version, await engine.DockerAsync("run", "--rm", ImageBuilds.Image, "--version"));
        Assert.Equal(version, await LabelAsync(engine, "version"));
        Assert.Equal(await engine.Clone.RevisionAsync(), await LabelAsync(engine, "revision"));
        Assert.Equal("", await InImageAsync(engine, "ls /var/lib/apt/lists"));
    }

    [Theory]
    [Builder(EngineKind.Docker28)]
    [Builder(EngineKind.Installed)]
    public async Task A_container_of_it_serves_the_engine_that_runs_it_and_is_healthy(EngineKind kind)
    {
        var engine = await builds.BuiltAsync(kind, output);
        await Image.WriteAsync(engine.Folder["busybox.tar"], EngineRoot.Find("/", "busybox")!);
        await engine.DockerAsync("import", engine.Folder["busybox.tar"], Small);
        var state = engine.Folder["volman"];
        Directory.CreateDirectory(state);
        try
        {
            await engine.DockerAsync("run", "--detach", "--name", Container, "--pid=host", "--network=host", "--cap-add=SYS_ADMIN", "--security-opt=apparmor=unconfined",
                "--health-interval=1s", "--volume=/run/docker/plugins:/run/docker/plugins", $"--volume={state}:{state}:rshared",
                $"--env=VOLMAN_STATE_DIR={state}", $"--env=VOLMAN_MOUNT_ROOT={state}/mnt", $"--env=VOLMAN_DATA_ROOT={state}/volumes", ImageBuilds.Image);
            Assert.Equal("healthy", await Poll.ForAsync("healthy", () => engine.DockerAsync("inspect", "--format", "{{.State.Health.Status}}", Container), TimeSpan.FromMinutes(2)));

            await engine.DockerAsync("volume", "create", "--driver=volman", "shop");
            await engine.DockerAsync("run", "--rm", "--volume=shop:/data", Small, "sh", "-c", "echo hello >/data/greeting");
            Assert.Equal("hello", await engine.DockerAsync("run", "--rm", "--volume=shop:/data", Small, "cat", "/data/greeting"));
            Assert.Equal("hello\n", await File.ReadAllTextAsync($"{state}/volumes/shop/greeting"));
            await engine.DockerAsync("volume", "rm", "shop");
            Assert.False((await engine.TryDockerAsync("volume", "inspect", "shop")).Succeeded);

            await engine.DockerAsync("stop", Container);
            Assert.Equal("0", await engine.DockerAsync("inspect", "--format", "{{.State.ExitCode}}", Container));
        }
        finally
        {
            output.WriteLine((await engine.TryDockerAsync("logs", "--tail=20", Container)).Output);
            await engine.TryDockerAsync("rm", "--force", Container);
        }
    }

    [BuildersFact]
    [Trait("Tier", "full")]
    public async Task Two_clean_clones_built_by_two_engines_give_the_same_files()
    {
        const string hashes = "cd /opt/volman; find . -type f -print0 | sort -z | xargs -0 sha256sum; find . -printf '%m %u:%g %p\\n' | sort";
        var one = await InImageAsync(await builds.CompiledAsync(EngineKind.Docker28, output), hashes, ImageBuilds.Compiled);
        var two = await InImageAsync(await builds.CompiledAsync(EngineKind.Installed, output), hashes, ImageBuilds.Compiled);

        Assert.Contains("./volman", one, StringComparison.Ordinal);
        Assert.Equal(one, two);
    }

    static Task<string> InImageAsync(ImageEngine engine, string script, string image = ImageBuilds.Image) =>
        engine.DockerAsync("run", "--rm", "--entrypoint=bash", image, "-euo", "pipefail", "-c", script);

    static Task<string> LabelAsync(ImageEngine engine, string name) =>
        engine.DockerAsync("image", "inspect", "--format", $"{{{{index .Config.Labels \"org.opencontainers.image.{name}\"}}}}", ImageBuilds.Image);
}
