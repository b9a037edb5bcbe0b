using VolumeManager.EndToEnd.Engines;
using VolumeManager.EndToEnd.Restarts;

namespace VolumeManager.EndToEnd.Packages;

/// <summary>A container of a machine that writes the next number into its volume ten times a second, from its start on, and notes each failure.</summary>
internal sealed class DebianContainer(DebianMachine machine, string name, string volume)
{
    const int Numbers = 5;

    string Log => machine[$"/var/lib/volman/volumes/{volume}/{name}"];

    public static async Task<DebianContainer> StartAsync(DebianMachine machine, string name, string volume, string options = "")
    {
        await machine.DockerAsync($"run --detach --name {name} --network host {options} --volume {volume}:/x {Image.Name} sh -c '{Counting.ScriptFor(name)}'");
        var container = new DebianContainer(machine, name, volume);
        await container.GoesOnAsync();
        return container;
    }

    public async Task GoesOnAsync()
    {
        var before = Count();
        await Poll.UntilAsync($"{name} goes on writing", () => Count() >= before + Numbers);
    }

    /// <summary>Every number is there, and no write has failed.</summary>
    public async Task HasNeverNoticedAsync()
    {
        await GoesOnAsync();
        var numbers = await File.ReadAllLinesAsync(Log);
        Assert.Equal(Enumerable.Range(1, numbers.Length).Select(number => $"{number}"), numbers);
        Assert.Equal("none", await machine.ShAsync($"docker exec {name} sh -c 'cat /tmp/errors 2>/dev/null || echo none'"));
    }

    int Count() => File.Exists(Log) ? File.ReadLines(Log).Count() : 0;
}
