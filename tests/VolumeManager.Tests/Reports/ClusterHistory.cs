using VolumeManager.Catalog;
using VolumeManager.Hosts;
using VolumeManager.Mounts;
using VolumeManager.Usage;
using VolumeManager.Volumes;

namespace VolumeManager.Tests.Reports;

/// <summary>Six weeks of a cluster that never was, the same at each run but for the day on which they end: what reports are asked of, and what their answers are computed from.</summary>
internal sealed class ClusterHistory
{
    const int Days = 42;

    static readonly string[] s_kinds = [EventKind.Unmount, EventKind.Unmount, EventKind.Unmount, EventKind.Reclaim, EventKind.Taken, EventKind.HostEvict];

    readonly Random _random = new(20261122);

    internal ClusterHistory(DateTime now)
    {
        // Milliseconds: both databases keep them.
        Now = new DateTime(now.Ticks / TimeSpan.TicksPerSecond * TimeSpan.TicksPerSecond, DateTimeKind.Utc);
        for (var i = 0; i < 5; i++) AddHost(i);
        for (var i = 0; i < 60; i++) AddVolume(i);
        foreach (var volume in Volumes) AddMounts(volume);
        foreach (var volume in Volumes) AddSamples(volume);
        AddFailures();
        foreach (var volume in Volumes.Where(v => v.State == VolumeState.Gone))
        {
            Events.Add(EventOf(volume.RemovedAt!.Value, Hosts[0], volume, EventKind.Remove, null, detail: $"the directory stays at nas:/volumes/{volume.Directory}"));
        }

        Events.Sort((a, b) => a.At.CompareTo(b.At));
        Samples.Sort((a, b) => a.TakenAt.CompareTo(b.TakenAt));
    }

    internal DateTime Now { get; }
    internal List<Host> Hosts { get; } = [];
    internal List<Volume> Volumes { get; } = [];
    internal List<Event> Events { get; } = [];
    internal List<Mount> Mounts { get; } = [];
    internal List<UsageSample> Samples { get; } = [];
    internal List<OptionChange> Changes { get; } = [];
    internal Dictionary<Guid, DateTime> LastUsed { get; } = [];

    internal DateTime Ago(double days) => Now - TimeSpan.FromDays(days);

    internal Host HostOf(Guid id) => Hosts.Single(host => host.Id == id);

    internal Volume VolumeOf(Guid id) => Volumes.Single(volume => volume.Id == id);

    /// <summary>The end of each day that a volume was measured on: bytes and files of the last sample, and what it held on average.</summary>
    internal IEnumerable<(DateOnly Day, Volume Volume, long Bytes, long Files, double GibDays)> UsageByDay() =>
        from sample in Samples
        group sample by (Day: DateOnly.FromDateTime(sample.TakenAt), sample.VolumeId) into day
        let last = day.MaxBy(s => s.TakenAt)
        select (day.Key.Day, VolumeOf(day.Key.VolumeId), last.Bytes, last.Files, day.Average(s => (double)s.Bytes) / (1L << 30));

    Guid NewId()
    {
        var bytes = new byte[16];
        _random.NextBytes(bytes);
        return new Guid(bytes);
    }

    DateTime Within(DateTime from, DateTime to) => from + TimeSpan.FromMilliseconds(_random.NextInt64(Math.Max(1, (long)(to - from).TotalMilliseconds)));

    void AddHost(int i) => Hosts.Add(new Host
    {
        Id = NewId(),
        Name = $"node-{i}",
        Address = i == 3 ? null : $"10.0.0.{i + 1}",
        BootId = $"boot-{i}",
        Version = i < 2 ? "0.2.0" : "0.3.0",
        EngineGeneration = i + 1,
        LeaseExpiresAt = Now + TimeSpan.FromDays(1),
        LastSeenAt = Ago(i * 0.1),
        State = i switch { 3 => "lost", 4 => "evicted", _ => "live" },
    });

    void AddVolume(int i)
    {
        var labels = new Dictionary<string, string>();
        if (i % 5 != 0) labels["team"] = ((string[])["web", "db", "ops, \"the\" team"])[i % 3];
        if (i % 4 == 0) labels["env"] = i % 8 == 0 ? "prod" : "test";
        var (state, removed) = i switch { 57 or 58 => (VolumeState.Trashed, Ago(0.5)), 59 => (VolumeState.Gone, Ago(10)), _ => (VolumeState.Ready, (DateTime?)null) };
        Volumes.Add(new Volume
        {
            Id = NewId(),
            Name = i == 1 ? "a.volume-with_every.kind-of_character" : $"vol-{i:00}",
            Backend = i % 2 == 0 ? "nfs" : "local",
            Server = i % 2 == 0 ? "nas" : "",
            Export = i % 2 == 0 ? "/volumes" : "root",
            Directory = $"vol-{i:00}",
            SizeBytes = i % 3 == 0 ? 10L << 30 : null,
            Mode = 493,
            State = state,
            CreatedAt = Within(Ago(i < 40 ? Days : 20), Ago(i < 40 ? Days - 10 : 5)),
            CreatedOnHost = Hosts[i % 3].Name,
            RemovedAt = removed,
            PurgeAfter = removed?.AddDays(1),
            Labels = labels,
        });
        if (i % 10 == 0)
        {
            Changes.Add(new OptionChange { VolumeId = Volumes[^1].Id, ChangedAt = Within(Ago(4), Now), Key = "size", OldValue = i % 20 == 0 ? null : "5G", NewValue = "10G", Host = Hosts[0].Name, Actor = "anna" });
        }
    }

    void AddMounts(Volume volume)
    {
        // Every seventh was never used.
        if (Volumes.IndexOf(volume) % 7 == 6) return;
        var caller = 0;
        for (var at = volume.CreatedAt; ;)
        {
            at = Within(at, at.AddDays(4));
            var end = Within(at.AddMinutes(1), at.AddDays(_random.Next(1, 5)));
            var host = Hosts[_random.Next(Hosts.Count)];
            var id = $"{volume.Directory}-caller-{caller++}";
            var isOpen = end >= Now && volume.State == VolumeState.Ready && host.State != "evicted";
            if (at >= (volume.RemovedAt ?? Now) || (end >= (volume.RemovedAt ?? Now) && !isOpen)) return;
            Events.Add(EventOf(at, host, volume, EventKind.Mount, id));
            if (isOpen)
            {
                Mounts.Add(MountOf(volume, host, id, at));
                // Some are shared by two hosts.
                if (Volumes.IndexOf(volume) % 3 == 0) Mounts.Add(MountOf(volume, Hosts[(Hosts.IndexOf(host) + 1) % 3], id + "-too", Within(at, Now)));
                return;
            }

            Events.Add(EventOf(end, host, volume, s_kinds[_random.Next(s_kinds.Length)], id, mountedAt: at));
            LastUsed[volume.Id] = LastUsed.TryGetValue(volume.Id, out var before) && before > end ? before : end;
            at = end;
        }
    }

    Mount MountOf(Volume volume, Host host, string caller, DateTime at) =>
        new() { VolumeId = volume.Id, HostId = host.Id, CallerId = caller, Count = _random.Next(1, 3), BootId = host.BootId, EngineGeneration = 1, MountedAt = at };

    Event EventOf(DateTime at, Host host, Volume volume, string kind, string? caller, string? error = null, DateTime? mountedAt = null, string? detail = null) => new()
    {
        Operation = NewId(),
        At = at,
        Host = host.Name,
        VolumeId = volume.Id,
        VolumeName = volume.Name,
        Kind = kind,
        CallerId = caller,
        DurationMs = _random.Next(1, 20_000) / 8.0,
        Error = error,
        Detail = detail,
        MountedAt = mountedAt,
    };

    void AddSamples(Volume volume)
    {
        // Every ninth was never measured.
        if (Volumes.IndexOf(volume) % 9 == 8) return;
        var bytes = _random.NextInt64(1L << 20, 8L << 30);
        for (var day = volume.CreatedAt.Date; day < (volume.RemovedAt ?? Now); day = day.AddDays(1))
        {
            // The sampler was off.
            if (_random.Next(8) == 0) continue;
            foreach (var at in Enumerable.Range(0, _random.Next(1, 5)).Select(_ => Within(day, day.AddDays(1))).Where(at => at > volume.CreatedAt && at < (volume.RemovedAt ?? Now)).Order())
            {
                bytes = Math.Max(4096, bytes + _random.NextInt64(-100L << 20, 150L << 20));
                Samples.Add(new UsageSample { VolumeId = volume.Id, TakenAt = at, Bytes = bytes, Files = bytes / 65536 + 1, HostId = Hosts[0].Id });
            }
        }
    }

    void AddFailures()
    {
        for (var i = 0; i < 80; i++)
        {
            var volume = Volumes[_random.Next(Volumes.Count)];
            var kind = ((string[])[EventKind.Mount, EventKind.Mount, EventKind.Create, EventKind.Remove, EventKind.Unmount])[_random.Next(5)];
            Events.Add(EventOf(Within(Ago(30), Now), Hosts[_random.Next(3)], volume, kind, kind == EventKind.Mount ? "c" : null, error: $"failure {_random.Next(4)}, \"quoted\""));
        }
    }
}
