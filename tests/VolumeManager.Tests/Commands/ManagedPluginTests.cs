using VolumeManager.Commands;

namespace VolumeManager.Tests.Commands;

[Trait("Catalog", "none")]
public sealed class ManagedPluginTests : IDisposable
{
    readonly ScratchFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    Settings With(string state) => new() { StateDirectory = _folder.Of(state), MountRoot = _folder.Of("mnt") };

    static async Task RecogniseAsync(Settings settings)
    {
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                ManagedPlugin.Recognise(settings);
                return;
            }
            catch (VolumeException e) when (attempt < 100 && e.Message.StartsWith($"another volman (process {Environment.ProcessId})", StringComparison.Ordinal))
            {
                // A program that another test starts at this moment has the lock that we have given back until its exec.
                await Task.Delay(20);
            }
        }
    }

    [Fact]
    public async Task The_state_directory_of_before_is_recognised()
    {
        await RecogniseAsync(With("state"));
        await RecogniseAsync(With("state"));
        Directory.Move(_folder.Of("state"), _folder.Of("moved"));
        await RecogniseAsync(With("moved"));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Another_state_directory_is_refused_be_it_new_or_of_another_host_and_left_as_it_is(bool hasHost)
    {
        if (hasHost) await RecogniseAsync(With("other") with { MountRoot = _folder.Of("other-mnt") });
        await RecogniseAsync(With("state"));
        var refused = (await Assert.ThrowsAsync<VolumeException>(() => RecogniseAsync(With("other"))));
        Assert.Contains("state.source=DIR", refused.Message, StringComparison.Ordinal);
        Assert.Equal(hasHost, Directory.Exists(_folder.Of("other")));
    }

    [Fact]
    public async Task The_plugins_own_directory_that_cannot_be_used_is_named()
    {
        File.WriteAllText(_folder.Of("mnt"), "");
        Assert.Contains(_folder.Of("mnt"), (await Assert.ThrowsAsync<VolumeException>(() => RecogniseAsync(With("state")))).Message, StringComparison.Ordinal);
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
