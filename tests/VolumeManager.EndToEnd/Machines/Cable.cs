namespace VolumeManager.EndToEnd.Machines;

/// <summary>One machine's way to the others of a network. It goes when the machine goes, and is plugged anew when that boots.</summary>
internal sealed class Cable(Network network, int number)
{
    const string Card = "eth0";

    readonly string _port = $"port{number}";

    public string Address { get; } = $"10.77.0.{10 + number}";

    /// <summary>The machine's end, in the network of its first process.</summary>
    public async Task PlugAsync(int init)
    {
        // The kernel clears up after a machine in its own time: its old cable may still be there, or be gone at this moment.
        await network.LinkAsync("delete", _port);
        // Always the same address of the card: the others remember it.
        (await network.LinkAsync("add", _port, "type", "veth", "peer", "name", Card, "address", $"02:00:0a:4d:00:{number:x2}", "netns", $"{init}")).MustSucceed();
        await network.ConnectAsync(_port);
        (await Network.IpAsync(init, "address", "add", $"{Address}/24", "dev", Card)).MustSucceed();
        (await Network.IpAsync(init, "link", "set", Card, "up")).MustSucceed();
    }

    public async Task CutAsync() => (await network.LinkAsync("set", _port, "down")).MustSucceed();

    public async Task HealAsync() => (await network.LinkAsync("set", _port, "up")).MustSucceed();
}
