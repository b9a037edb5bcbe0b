namespace VolumeManager.Exports;

/// <content>Waiting for what takes long.</content>
internal abstract partial class Export
{
    /// <summary>Waits for work as long as it gets on: how long it may take nobody knows.</summary>
    /// <param name="steps">How far it has come.</param>
    /// <param name="stop">Stops it, when the kernel lets it go on, once nobody waits for it any more.</param>
    /// <exception cref="SilentExportException">It has stood still.</exception>
    async Task<T> WhileItGetsOnAsync<T>(Task<T> work, Func<long> steps, CancellationTokenSource stop, CancellationToken cancellation)
    {
        try
        {
            for (var before = steps(); ; before = steps())
            {
                await Task.WhenAny(work, Task.Delay(Timings.ExportAnswer, cancellation));
                cancellation.ThrowIfCancellationRequested();
                if (work.IsCompleted) return await work;
                if (steps() == before) throw new SilentExportException($"{Name} does not answer (no reply for {Timings.ExportAnswer.TotalSeconds:0} s): see to it");
            }
        }
        finally
        {
            await stop.CancelAsync();
        }
    }
}

/// <summary>An export has not answered while something was done to a volume: its other volumes need not be tried now.</summary>
internal sealed class SilentExportException(string message) : VolumeException(message);
