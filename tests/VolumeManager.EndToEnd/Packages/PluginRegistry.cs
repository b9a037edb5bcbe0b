using VolumeManager.EndToEnd.Machines;

namespace VolumeManager.EndToEnd.Packages;

/// <summary>Debian's docker-registry in a machine's network: what engines push plugins to and install them from.</summary>
internal sealed class PluginRegistry : IAsyncDisposable
{
    public const string OwnAddress = "127.0.0.1:5000";

    /// <summary>For the other machines of a cluster, when it runs in the first.</summary>
    public const string FirstAddress = "10.77.0.11:5000";

    readonly RunningProgram _program;

    PluginRegistry(RunningProgram program) => _program = program;

    public static async Task<PluginRegistry> StartAsync(Machine machine)
    {
        var settings = machine.Folder["registry.yml"];
        await File.WriteAllTextAsync(settings, $"""
            version: 0.1
            storage:
              filesystem:
                rootdirectory: {machine.Folder["registry"]}
            http:
              addr: :5000
            """);
        // The program is this machine's, the network the other's.
        var program = await new RunningProgram("docker-registry", new("nsenter", ["--target", $"{machine.Init}", "--net", "--pid", "--", "docker-registry", "serve", settings])).EnteredAsync();
        await program.UntilLoggedAsync("listening on");
        return new PluginRegistry(program);
    }

    public async ValueTask DisposeAsync()
    {
        await _program.KillAsync();
        _program.Dispose();
    }
}
