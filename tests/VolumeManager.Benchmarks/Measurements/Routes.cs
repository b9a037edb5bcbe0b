using VolumeManager.Benchmarks.Engine;

namespace VolumeManager.Benchmarks.Measurements;

/// <summary>The operations of the routes' table, made for one worker at a time.</summary>
internal static class Routes
{
    internal const string MountedPair = "Mount + Unmount, mounted";
    internal const string FirstLastPair = "Mount + Unmount, first and last";

    /// <summary>Volumes that are mounted for another caller all the time.</summary>
    internal const string Held = "held-";

    /// <summary>Volumes that nobody has mounted.</summary>
    internal const string Free = "free-";

    internal const int Listed = 10;
    internal const int MostWorkers = 64;

    /// <summary>A new name for each Create of a worker: more than a worker makes in any measurement.</summary>
    internal const int NamesPerWorker = 200_000;

    /// <summary>The caller that holds the mounted volumes.</summary>
    const long Holder = 0x0fff_ffff_ffff_ffff;

    internal static Operation Same(EngineRequest request) => (connection, _) => connection.Ask(request);

    /// <summary>One of the first ten held volumes after the other.</summary>
    internal static Operation OfListed(EngineRequest request, int worker) => (connection, i) => connection.Ask(request.Volume((worker + i) % Listed));

    /// <summary>A volume of its own at each iteration.</summary>
    internal static Operation OfNew(EngineRequest request, int worker) => (connection, i) => connection.Ask(request.Volume(worker * NamesPerWorker + i));

    /// <summary>The worker's own volume, a new caller at each iteration.</summary>
    internal static Operation OfCaller(EngineRequest request, int worker) => (connection, i) => connection.Ask(request.Volume(worker).Caller(CallerOf(worker, i)));

    internal static Operation Pair(string prefix, int worker)
    {
        var mount = EngineRequest.Mount(prefix).Volume(worker);
        var unmount = EngineRequest.Unmount(prefix).Volume(worker);
        return (connection, i) =>
        {
            connection.Ask(mount.Caller(CallerOf(worker, i)));
            connection.Ask(unmount.Caller(CallerOf(worker, i)));
        };
    }

    internal static Operation Creating(string prefix)
    {
        var create = EngineRequest.Create(prefix);
        return (connection, i) => connection.Ask(create.Volume(i));
    }

    internal static Operation Holding(string prefix)
    {
        var mount = EngineRequest.Mount(prefix).Caller(Holder);
        return (connection, i) => connection.Ask(mount.Volume(i));
    }

    static long CallerOf(int worker, int iteration) => (long)worker << 32 | (uint)iteration;
}
