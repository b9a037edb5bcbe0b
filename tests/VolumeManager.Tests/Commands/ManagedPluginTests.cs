using System.Diagnostics;
using VolumeManager.Commands;
using VolumeManager.Tests.Linux;

namespace VolumeManager.Tests.Commands;

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
        Assert.StartsWith("volman: --socket is \"relative\"", await volman.StandardError.ReadLineAsync(), StringComparison.Ordinal);
        Assert.False(volman.WaitForExit(500));
        var clock = Stopwatch.StartNew();
        await ShellCommand.RunAsync("kill", $"{volman.Id}");
        await volman.WaitForExitAsync();
        // By itself it would wait for 20 s.
        Assert.InRange(clock.Elapsed.TotalSeconds, 0, 19);
    }

    [Fact]
    public async Task Whose_mounts_would_not_be_seen_by_the_engine_ends_at_once_to_be_started_anew()
    {
        var start = new ProcessStartInfo("unshare",
        [
            "--mount", "--propagation", "private", "dotnet", Path.Combine(AppContext.BaseDirectory, "volman.dll"), "serve", "--managed-plugin", "--socket", _folder.Of("s"),
            "--admin-socket", _folder.Of("a"), "--state-dir", _folder.Of("state"), "--mount-root", _folder.Of("mnt"), "--data-root", _folder.Of("data"),
        ])
        {
            UseShellExecute = false,
            RedirectStandardError = true,
        };
        using var volman = Process.Start(start)!;
        Assert.Contains("would not be seen by the engine", await volman.StandardError.ReadLineAsync(), StringComparison.Ordinal);
        // What cannot start waits for 20 s, but for this one.
        var clock = Stopwatch.StartNew();
        await volman.WaitForExitAsync();
        Assert.Equal(1, volman.ExitCode);
        Assert.InRange(clock.Elapsed.TotalSeconds, 0, 19);
    }
}
