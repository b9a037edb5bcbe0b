using VolumeManager.EndToEnd.Engines;

namespace VolumeManager.EndToEnd.Hosts;

/// <summary>What a user types at one engine.</summary>
internal abstract class DockerUser(Engine engine)
{
    public Engine Engine { get; } = engine;

    /// <summary>`docker` with the words of a line, then arguments that are not to be split. Gives what it printed.</summary>
    public async Task<string> DockerAsync(string words, params string[] more) => (await TryDockerAsync(words, more)).MustSucceed().Output;

    /// <summary>The same for a command that prints a list: its lines.</summary>
    public async Task<string[]> LinesAsync(string words, params string[] more) =>
        (await DockerAsync(words, more)).Split('\n', StringSplitOptions.RemoveEmptyEntries);

    /// <summary>A `docker` command that must fail; gives its complaint.</summary>
    public async Task<string> RefusedAsync(string words, params string[] more)
    {
        var result = await TryDockerAsync(words, more);
        Assert.False(result.Succeeded, $"Was not refused: {result.Line}\n{result.Output}");
        return result.Errors;
    }

    public Task<Command> TryDockerAsync(string words, params string[] more) =>
        Engine.DockerAsync([.. words.Split(' ', StringSplitOptions.RemoveEmptyEntries), .. more]);

    /// <summary>
    /// A container that runs a script to its end and goes; gives what it printed. Like all containers of these tests it shares the machine's network: one of its own
    /// makes dockerd start itself once more, which takes a third of the time of the whole.
    /// </summary>
    public Task<string> RunAsync(string options, string script) => DockerAsync($"run --rm --network host {options} {Image.Name} sh -c", script);

    /// <summary>A container that runs until it is stopped, which is quick: its stop signal is KILL.</summary>
    public Task StartContainerAsync(string name, string options, string script = "sleep 100000") =>
        DockerAsync($"run --detach --name {name} --network host --stop-signal KILL {options} {Image.Name} sh -c", script);

    /// <summary>Takes every container away.</summary>
    public async Task RemoveContainersAsync()
    {
        var containers = await LinesAsync("ps --all --quiet");
        if (containers.Length > 0)
            await DockerAsync("rm --force", containers);
    }

    /// <summary>Removes every volume of volman's that the engine lists.</summary>
    public async Task RemoveVolumesAsync()
    {
        var volumes = await LinesAsync("volume ls --quiet --filter driver=volman");
        if (volumes.Length > 0)
            await DockerAsync("volume rm", volumes);
    }
}
