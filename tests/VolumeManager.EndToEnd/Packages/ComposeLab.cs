using VolumeManager.EndToEnd.Engines;
using VolumeManager.EndToEnd.Lab;

namespace VolumeManager.EndToEnd.Packages;

/// <summary>A laboratory of one host, apart from the one of the other tests, with more memory: all the demonstration runs on it.</summary>
internal sealed class ComposeLab(string composeFolder) : IAsyncDisposable
{
    const string Host = "h0";
    const string MemoryInMiB = "3000";
    static readonly TimeSpan s_patience = TimeSpan.FromMinutes(6);

    /// <summary>Brings images, the clone's files and compose there.</summary>
    public async Task UpAsync(string images, ImageClone clone)
    {
        // It goes when this process goes, however that ends.
        await LabAsync("up", "1", $"{Environment.ProcessId}");
        foreach (var path in new[] { images, clone.Root, await ComposeAsync() })
            await LabAsync("copy", path, $"{Host}:/srv");
        await LabAsync("sh", Host, $"start-docker; docker load --quiet --input /srv/{Path.GetFileName(images)}; rm /srv/{Path.GetFileName(images)}");
        await LabAsync("sh", Host, "ln -s /srv/compose/docker-compose.sh /usr/local/bin/docker-compose");
    }

    /// <summary>In the clone.</summary>
    public async Task<string> ShAsync(string script) => (await TryAsync(script, s_patience)).MustSucceed().Output;

    public Task<Command> TryAsync(string script, TimeSpan deadline) => RunAsync(deadline, "sh", Host, $"cd /srv/clone; {script}");

    public async ValueTask DisposeAsync()
    {
        await LabAsync("down");
        Directory.Delete(composeFolder, recursive: true);
    }

    /// <summary>The newer engine's compose, with the C library that it was linked to: the laboratory's is older.</summary>
    async Task<string> ComposeAsync()
    {
        Directory.CreateDirectory(composeFolder);
        var root = EngineRoot.Of(EngineKind.Docker28);
        foreach (var file in new[] { "usr/libexec/docker/cli-plugins/docker-compose", "usr/lib/x86_64-linux-gnu/libc.so.6", "usr/lib64/ld-linux-x86-64.so.2" })
            (await Command.RunAsync(s_patience, "cp", "--dereference", Path.Combine(root, file), composeFolder)).MustSucceed();
        var script = Path.Combine(composeFolder, "docker-compose.sh");
        await File.WriteAllTextAsync(script, "#!/bin/sh\nexec /srv/compose/ld-linux-x86-64.so.2 --library-path /srv/compose /srv/compose/docker-compose \"$@\"\n");
        File.SetUnixFileMode(script, (UnixFileMode)0b111_101_101);
        return composeFolder;
    }

    async Task LabAsync(params IEnumerable<string> arguments) => (await RunAsync(s_patience, arguments)).MustSucceed();

    Task<Command> RunAsync(TimeSpan deadline, params IEnumerable<string> arguments) =>
        Command.RunAsync(deadline, "env", [$"LAB_STATE={Path.GetTempPath()}volman-lab.{Environment.ProcessId}-compose", $"LAB_MEMORY={MemoryInMiB}", Laboratory.Script, .. arguments]);
}

/// <summary>A test that needs the laboratory and an engine that builds images.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class ComposeLabFactAttribute : FactAttribute
{
    public ComposeLabFactAttribute() => Skip = new LabFactAttribute().Skip ?? ImageEngine.WhyNot(EngineKind.Docker28);
}
