using System.Diagnostics;
using VolumeManager.EndToEnd.Engines;

namespace VolumeManager.EndToEnd.Packages;

/// <summary>docker-compose.yml, unmodified, profile `single`: a host in a container, with an engine of its own.</summary>
[Collection(ImageBuilds.Collection)]
public sealed class ComposeOneHost(ImageBuilds builds, ITestOutputHelper output)
{
    static readonly TimeSpan s_patience = TimeSpan.FromMinutes(12);
    static readonly string[] s_show = ["--profile", "single", "run", "--rm", "--no-TTY", "show-single"];

    /// <summary>The other way to see the show: all in the background.</summary>
    static async Task<Command> UpAsync(ImageEngine engine)
    {
        (await engine.ComposeAsync(s_patience, "--profile", "single", "up", "--detach")).MustSucceed();
        Assert.Equal("0", (await engine.DockerAsync("wait", "volman-demo-show-single-1")).Trim());
        return await engine.ComposeAsync(s_patience, "--profile", "single", "logs", "--no-log-prefix", "show-single");
    }

    [Theory]
    [Trait("Tier", "full")]
    [Builder(EngineKind.Docker28)]
    public async Task The_demonstration_of_one_host_shows_what_it_says_and_finds_its_volume_after_down_and_up(EngineKind kind)
    {
        var engine = await builds.CompiledAsync(kind, output);
        try
        {
            // It builds what is not there, as for a user who has nothing but the files.
            var first = await ComposeShow.RunAsync(() => engine.ComposeAsync(s_patience, s_show), output);
            first.Steps(5).Says("hello").Says("volume is in use").Kept(1);

            var stop = Stopwatch.StartNew();
            (await engine.ComposeAsync(s_patience, "--profile", "*", "down")).MustSucceed();
            output.WriteLine($"down: {stop.Elapsed.TotalSeconds:0.0} s");
            Assert.Equal("", await engine.DockerAsync("ps", "--all", "--quiet", "--filter", ComposeShow.Project));
            Assert.NotEqual("", await engine.DockerAsync("volume", "ls", "--quiet", "--filter", ComposeShow.Project));

            var second = await ComposeShow.RunAsync(() => UpAsync(engine), output);
            second.Steps(5).Kept(2).Says(first.Lines("show of")[0]);
        }
        finally
        {
            output.WriteLine((await engine.ComposeAsync(s_patience, "--profile", "*", "logs", "--tail=15")).Output);
            (await engine.ComposeAsync(s_patience, "--profile", "*", "down", "--volumes")).MustSucceed();
        }

        foreach (var things in ComposeShow.Things)
            Assert.Equal("", await engine.DockerAsync([.. things, "--quiet", "--filter", ComposeShow.Project]));
    }
}
