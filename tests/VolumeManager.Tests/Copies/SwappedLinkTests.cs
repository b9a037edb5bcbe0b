using VolumeManager.Linux;
using VolumeManager.Tests.Commands;
using VolumeManager.Tests.Hosts;

namespace VolumeManager.Tests.Copies;

/// <summary>A container swaps a directory of its volume for a link that leads out of it, again and again, while the volume is cloned.</summary>
[Trait("Catalog", "any")]
public sealed class SwappedLinkTests : IAsyncDisposable
{
    const uint Exchange = 2; // RENAME_EXCHANGE
    const int Swaps = 200_000;

    readonly ScratchFolder _outside = new();

    public ValueTask DisposeAsync()
    {
        _outside.Dispose();
        return ValueTask.CompletedTask;
    }

    [Fact]
    public async Task A_clone_of_a_volume_in_use_has_nothing_from_outside()
    {
        await using var host = await TestHost.StartNewAsync();
        await File.WriteAllTextAsync(_outside.Of("file"), "secret");
        Assert.Equal("", await host.Engine.CreateAsync("v"));
        Assert.Equal("", await host.Engine.MountAsync("v", "x"));
        for (var i = 0; i < 20; i++)
        {
            Directory.CreateDirectory(host.TargetOf("v") + $"/{i}/dir");
            await File.WriteAllTextAsync(host.TargetOf("v") + $"/{i}/dir/file", "own");
            File.CreateSymbolicLink(host.TargetOf("v") + $"/{i}/link", _outside.FullPath);
        }

        using var stop = new CancellationTokenSource();
        var swapping = Task.Run(() => Swap(host.TargetOf("v"), stop.Token));
        var cloned = 0;
        for (var i = 0; i < 12 && !swapping.IsCompleted; i++)
        {
            // A clone that meets a link where it saw a directory fails, which is as good.
            var ended = await VolmanProcess.RunAsync(["volume", "clone", "v", $"w{i}", "--live", "--admin-socket", host.Settings.AdminSocket], null);
            if (ended.ExitCode == 0) cloned++;
            if (!Directory.Exists(host.DataOf($"w{i}"))) continue;
            foreach (var file in Directory.EnumerateFiles(host.DataOf($"w{i}"), "file", new EnumerationOptions { RecurseSubdirectories = true, AttributesToSkip = FileAttributes.ReparsePoint }))
                Assert.Equal("own", await File.ReadAllTextAsync(file));
        }

        await stop.CancelAsync();
        await swapping;
        Assert.True(cloned > 0, "no clone was made");
        Assert.Equal("", await host.Engine.UnmountAsync("v", "x"));
    }

    [Fact]
    public void A_view_of_a_tree_is_not_left_nor_written()
    {
        File.WriteAllText(_outside.Of("file"), "secret");
        Directory.CreateDirectory(_outside.Of("tree/dir"));
        File.WriteAllText(_outside.Of("tree/dir/file"), "own");
        File.CreateSymbolicLink(_outside.Of("tree/link"), "..");
        using var tree = LibC.Open(null, _outside.Of("tree"), LibC.O_RDONLY | LibC.O_DIRECTORY);
        using var view = TreeView.TryOpen(tree);
        Assert.NotNull(view);
        var path = $"/proc/self/fd/{(int)view.DangerousGetHandle()}";
        Assert.Equal("own", File.ReadAllText($"{path}/dir/file"));
        Assert.Equal("..", new FileInfo($"{path}/link").LinkTarget);
        Assert.Throws<IOException>(() => File.ReadAllText($"{path}/link/file"));
        Assert.Throws<IOException>(() => File.WriteAllText($"{path}/dir/file", "other"));
        Assert.Equal("secret", File.ReadAllText(_outside.Of("tree/link/file")));
    }

    static void Swap(string volume, CancellationToken stop)
    {
        var folders = Enumerable.Range(0, 20).Select(i => LibC.Open(null, $"{volume}/{i}", LibC.O_RDONLY | LibC.O_DIRECTORY)).ToList();
        for (var i = 0; i < Swaps && !stop.IsCancellationRequested; i++)
        {
            var folder = folders[i % folders.Count];
            LibC.Check(LibC.RenameAt2(folder, "dir", folder, "link", Exchange), "rename", "dir");
        }

        folders.ForEach(folder => folder.Dispose());
    }
}
