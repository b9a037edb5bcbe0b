using VolumeManager.Commands;

namespace VolumeManager.Tests.Commands;

[Trait("Catalog", "none")]
public sealed class ManagedPluginTests : IDisposable
{
    readonly ScratchFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    Settings With(string state) => new() { StateDirectory = _folder.Of(state), MountRoot = _folder.Of("mnt") };

    [Fact]
    public void The_state_directory_of_before_is_recognised()
    {
        ManagedPlugin.Recognise(With("state"));
        ManagedPlugin.Recognise(With("state"));
        Directory.Move(_folder.Of("state"), _folder.Of("moved"));
        ManagedPlugin.Recognise(With("moved"));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Another_state_directory_is_refused_be_it_new_or_of_another_host_and_left_as_it_is(bool hasHost)
    {
        if (hasHost) ManagedPlugin.Recognise(With("other") with { MountRoot = _folder.Of("other-mnt") });
        ManagedPlugin.Recognise(With("state"));
        var refused = Assert.Throws<VolumeException>(() => ManagedPlugin.Recognise(With("other")));
        Assert.Contains("state.source=DIR", refused.Message, StringComparison.Ordinal);
        Assert.Equal(hasHost, Directory.Exists(_folder.Of("other")));
    }

    [Fact]
    public void The_plugins_own_directory_that_cannot_be_used_is_named()
    {
        File.WriteAllText(_folder.Of("mnt"), "");
        Assert.Contains(_folder.Of("mnt"), Assert.Throws<VolumeException>(() => ManagedPlugin.Recognise(With("state"))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_cannot_start_says_why_at_once_and_ends_when_it_is_told_to()
    {
        using var volman = VolmanProcess.Start(["serve", "--managed-plugin", "--socket", "relative"]);
        await volman.UntilLoggedAsync("volman: --socket is \"relative\"");
        Assert.False(await Poll.HoldsWithinAsync(TimeSpan.FromSeconds(0.5), () => volman.HasExited));
        volman.Signal(ProcessTable.SIGTERM);
        // By itself it would wait for 20 s.
        await volman.ExitAsync(TimeSpan.FromSeconds(19));
    }

    [Fact]
    public async Task Whose_mounts_would_not_be_seen_by_the_engine_ends_at_once_to_be_started_anew()
    {
        var ended = await Command.RunAsync(TimeSpan.FromSeconds(19), "unshare",
        [
            "--mount", "--propagation", "private", .. VolmanProcess.Program, "serve", "--managed-plugin", "--socket", _folder.Of("s"),
            "--admin-socket", _folder.Of("a"), "--state-dir", _folder.Of("state"), "--mount-root", _folder.Of("mnt"), "--data-root", _folder.Of("data"),
        ]);
        Assert.Equal(1, ended.ExitCode);
        Assert.Contains("would not be seen by the engine", ended.Errors, StringComparison.Ordinal);
    }
}
