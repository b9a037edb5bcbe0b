using VolumeManager.Exports;
using VolumeManager.Linux;
using VolumeManager.Tests.Hosts;
using VolumeManager.Volumes;

namespace VolumeManager.Tests.Usage;

/// <summary>An export that hangs costs one thread, and is not asked again until that one is back.</summary>
[Trait("Catalog", "none")]
public sealed class ExportMeasureTests : IDisposable
{
    readonly ScratchFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task An_export_that_hangs_is_asked_once()
    {
        _folder.Make("v");
        var export = new HangingExport(new DirectoryRoot(_folder.FullPath));
        using var given = new CancellationTokenSource();
        var hanging = export.MeasureAsync(Named("v"), given.Token);
        await export.Asked.WaitAsync();
        // Whoever gives it up is free at once.
        await given.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => hanging);
        for (var i = 0; i < 10; i++)
        {
            var refused = await Assert.ThrowsAsync<SilentExportException>(() => export.MeasureAsync(Named("v"), CancellationToken.None));
            Assert.Contains("the export that hangs has not answered", refused.Message, StringComparison.Ordinal);
        }

        Assert.Equal(0, export.Asked.CurrentCount);
        export.Go.Set();
        // The walk that was given up ends, and the next one is made.
        await Poll.UntilAsync("it is measured", async () => await TryAsync(export) == 1);
    }

    [Fact]
    public async Task An_export_that_does_not_get_on_is_given_up()
    {
        _folder.Make("v");
        var export = new HangingExport(new DirectoryRoot(_folder.FullPath));
        var error = await Assert.ThrowsAsync<SilentExportException>(() => export.MeasureAsync(Named("v"), CancellationToken.None));
        Assert.Contains($"the export that hangs does not answer (no reply for {TestTimings.CurrentImpatient.ExportAnswer.TotalSeconds} s)", error.Message, StringComparison.Ordinal);
        export.Go.Set();
    }

    [Fact]
    public async Task A_deletion_that_hangs_is_given_up_and_costs_one_thread()
    {
        _folder.Make(".trash");
        var export = new HangingExport(new DirectoryRoot(_folder.FullPath));
        using var given = new CancellationTokenSource();
        var hanging = export.PurgeAsync(Named("v"), given.Token);
        await export.Asked.WaitAsync();
        await given.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => hanging);
        foreach (var asked in new Func<Task>[] { () => export.PurgeAsync(Named("v"), CancellationToken.None), () => export.CheckTrashAsync(Named("v"), CancellationToken.None) })
        {
            Assert.Contains("the export that hangs has not answered", (await Assert.ThrowsAsync<SilentExportException>(asked)).Message, StringComparison.Ordinal);
        }

        Assert.Equal(0, export.Asked.CurrentCount);
        export.Go.Set();
    }

    [Fact]
    public async Task A_deletion_that_does_not_get_on_is_given_up()
    {
        var export = new HangingExport(new DirectoryRoot(_folder.FullPath));
        var error = await Assert.ThrowsAsync<SilentExportException>(() => export.PurgeAsync(Named("v"), CancellationToken.None));
        Assert.Contains($"the export that hangs does not answer (no reply for {TestTimings.CurrentImpatient.ExportAnswer.TotalSeconds} s)", error.Message, StringComparison.Ordinal);
        export.Go.Set();
    }

    [Fact]
    public async Task A_missing_directory_is_the_volumes_own_trouble()
    {
        var export = new HangingExport(new DirectoryRoot(_folder.FullPath));
        export.Go.Set();
        var error = await Assert.ThrowsAsync<LinuxException>(() => export.MeasureAsync(Named("missing"), CancellationToken.None));
        Assert.Equal(LibC.ENOENT, error.Errno);
        _folder.Make("v");
        Assert.Equal(1, await TryAsync(export));
    }

    static async Task<long> TryAsync(Export export)
    {
        try
        {
            return (await export.MeasureAsync(Named("v"), CancellationToken.None)).Files;
        }
        catch (VolumeException)
        {
            return 0;
        }
    }

    static Volume Named(string name) => new() { Id = Guid.NewGuid(), Name = name, Backend = "local", Directory = name, CreatedAt = DateTime.UtcNow, CreatedOnHost = "h" };

    sealed class HangingExport(DirectoryRoot root) : Export(root, new SyscallLane("test", maxThreads: 1), TestTimings.CurrentImpatient)
    {
        internal SemaphoreSlim Asked { get; } = new(0);

        internal ManualResetEventSlim Go { get; } = new();

        internal override string Name => "the export that hangs";

        private protected override bool IsShared => false;

        private protected override int EntriesPerSecond => 1000;

        internal override Task<string?> FindTroubleAsync(CancellationToken cancellation) => throw new NotSupportedException();

        private protected override void Prepare(Volume volume)
        {
            Asked.Release();
            Go.Wait();
        }

        private protected override Task<T> RunAsync<T>(Volume volume, Func<T> call, CancellationToken cancellation, bool isHarmless = false) => OnLaneAsync(
            () =>
            {
                Prepare(volume);
                return call();
            }, cancellation);
    }
}
