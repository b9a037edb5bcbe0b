namespace VolumeManager.EndToEnd.Machines;

/// <summary>
/// A switch to which machines can be cabled, and nothing else: a bridge in a network namespace of its own, without a way to the real network.
/// It lives as long as its first process, which lives as long as its standard input is open: nothing outlives the test process.
/// </summary>
internal sealed class Network : IDisposable
{
    const string Bridge = "switch";
    static readonly string[] s_unshare = ["--net", "sh", "-c", $"ip link add {Bridge} type bridge && ip link set {Bridge} up && echo up && cat"];

    readonly RunningProgram _first = new("network", new("unshare", s_unshare), keepsInput: true);

    public static async Task<Network> StartAsync()
    {
        var network = new Network();
        try
        {
            await network._first.UntilLoggedAsync("up");
            return network;
        }
        catch
        {
            network.Dispose();
            throw;
        }
    }

    /// <summary>`ip link` in the switch.</summary>
    public async Task<Command> LinkAsync(params IEnumerable<string> arguments) => await IpAsync(_first.Pid, ["link", .. arguments]);

    public async Task ConnectAsync(string port) => (await LinkAsync("set", port, "master", Bridge, "up")).MustSucceed();

    /// <summary>The host's `ip` in the network of a process: a machine with its own root has none.</summary>
    public static Task<Command> IpAsync(int pid, params IEnumerable<string> arguments) =>
        Command.RunAsync(Poll.Patience, "nsenter", ["--target", $"{pid}", "--net", "ip", .. arguments]);

    public void Dispose() => _first.Dispose();
}
