using VolumeManager.Tests.Hosts;

namespace VolumeManager.Tests.Doctor;

/// <summary>Catalog against the engine's containers.</summary>
public sealed class EngineDamageTests : IAsyncLifetime
{
    TestHost Host { get; } = new();

    EngineStandIn Engine { get; set; } = null!;

    public async Task InitializeAsync()
    {
        Host.Settings = Host.Settings with { EngineSocket = Host.Settings.Socket + ".engine" };
        Engine = await EngineStandIn.StartAsync(Host.Settings.EngineSocket);
        await Host.StartAsync();
        Assert.Equal("", await Host.Engine.CreateAsync("v"));
        Assert.Equal("", await Host.Engine.MountAsync("v", "x"));
        Engine.Volumes.Add("v");
        Engine.Containers.Add(("web", "running", "v", "v"));
        Engine.Containers.Add(("other", "running", "not-ours", "local"));
        Assert.Empty(await Host.DiagnoseAsync());
    }

    public async Task DisposeAsync()
    {
        await Host.DisposeAsync();
        await Engine.DisposeAsync();
    }

    [Theory]
    [InlineData("running")]
    [InlineData("paused")]
    [InlineData("restarting")]
    [InlineData("created")]
    public async Task A_container_that_is_up_or_comes_up_accounts_for_a_claim(string state)
    {
        Engine.Containers[0] = ("web", state, "v", "v:latest");
        Assert.Empty(await Host.DiagnoseAsync());
    }

    [Fact]
    public async Task A_claim_for_which_there_is_no_container_is_dropped_with_consent()
    {
        Engine.Containers[0] = ("web", "exited", "v", "v");
        var found = await Host.FindOneAsync("claim-unused", "warning");
        Assert.Contains("by a caller, and the engine has no container that is up and uses it", found.Problem, StringComparison.Ordinal);
        Assert.True(found is { Repairable: true, NeedsConsent: true });
        Assert.Equal(found, Assert.Single((await Host.RepairAsync()).Left));
        Assert.Equal("x=1", await Host.MountRowsAsync("v"));
        var (repaired, left) = await Host.RepairAsync("""{"codes": ["claim-unused"], "consent": true}""");
        Assert.Equal(found, Assert.Single(repaired));
        Assert.Empty(left);
        Assert.Equal("", await Host.MountRowsAsync("v"));
        Assert.Empty(Host.KernelMounts());
    }

    /// <summary>An engine that lost an Unmount mounts for the next start of that container under the same id, and may wait long for its next volume.</summary>
    [Fact]
    public async Task A_claim_that_was_made_once_more_is_that_of_a_container_that_comes_up()
    {
        await Host.StopAsync();
        Host.Settings = Host.Settings with { EngineGrace = TimeSpan.FromSeconds(3) };
        await Host.StartAsync();
        Engine.Containers[0] = ("web", "exited", "v", "v");
        await Poll.UntilAsync("the claim is old", async () => (await Host.DiagnoseAsync()).Any(f => f.Code == "claim-unused"));
        Assert.Equal("", await Host.Engine.MountAsync("v", "x"));
        Assert.Empty((await Host.RepairAsync("""{"codes": ["claim-unused"], "consent": true}""")).Repaired);
        Assert.Equal("x=2", await Host.MountRowsAsync("v"));
        Assert.Single(Host.KernelMounts());
    }

    [Fact]
    public async Task One_that_a_container_holds_is_none_of_those()
    {
        Engine.Containers.Clear();
        using var folder = new ScratchFolder();
        using var container = await Mounts.HoldingProcess.StartAsync(Host.TargetOf("v"), folder.Of("at"));
        Assert.Empty(await Host.DiagnoseAsync());
    }

    [Fact]
    public async Task A_container_whose_claim_is_not_known_is_told()
    {
        Assert.Equal("", await Host.Engine.UnmountAsync("v", "x"));
        await Host.TellsAsync("container-unclaimed", "error", "container web uses volume v, and no caller of this host claims it", "restart web");
    }

    [Fact]
    public async Task A_volume_that_only_the_engine_knows_is_told()
    {
        Engine.Volumes.Add("lost");
        Engine.Containers.Add(("old", "exited", "lost-too", "v"));
        var found = await Host.FindAllAsync("volume-unknown", "warning");
        Assert.Equal(["volume lost", "volume lost-too"], found.Select(f => f.Subject));
        Assert.All(found, f => Assert.False(f.Repairable));
        Assert.Equal(found, (await Host.RepairAsync()).Left);
        Assert.EndsWith("(of container old), and the catalog does not", found[1].Problem, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_engine_that_does_not_answer_is_a_note_with_the_reason()
    {
        await Engine.DisposeAsync();
        var note = Assert.Single(await Host.FindAllAsync("engine-unreachable", "note"));
        Assert.StartsWith($"what the engine's containers use was not compared: the engine cannot be asked over {Host.Settings.EngineSocket} (", note.Problem, StringComparison.Ordinal);
        Assert.Null(note.Failure);
    }
}
