using System.ComponentModel;
using System.Reflection;
using System.Text;
using VolumeManager.Benchmarks.Engine;

namespace VolumeManager.Benchmarks.Servers;

/// <summary>Servers that answer a constant: in C the limit of the machine, in Kestrel the limit of what volman is built on.</summary>
internal sealed class NullServers(Workspace workspace)
{
    internal static readonly byte[] SmallBody = Encoding.ASCII.GetBytes("""{"Err":""}""" + "\n");

    readonly string _binary = Path.Combine(workspace.Root, "null-server");
    int _started;

    /// <summary>Why there is no C null server; null when there is one.</summary>
    internal string? WhyNoC { get; private set; }

    internal async Task CompileAsync()
    {
        var source = _binary + ".c";
        await using (var embedded = Assembly.GetExecutingAssembly().GetManifestResourceStream("null-server.c")!)
        await using (var file = File.Create(source))
            await embedded.CopyToAsync(file, workspace.Cancelled);
        try
        {
            var gcc = await Command.RunAsync(TimeSpan.FromMinutes(2), "gcc", "-O2", "-pthread", "-o", _binary, source);
            if (!gcc.Succeeded)
                WhyNoC = $"gcc could not compile it: {gcc.Errors}";
        }
        catch (Win32Exception)
        {
            WhyNoC = "there is no gcc on this machine";
        }
    }

    internal async Task<ServerProcess> StartKestrelAsync(byte[] body, bool keep = false) => await AwaitAsync(StartKestrel(body, keep));

    /// <summary>Starts one and returns at once, before it listens.</summary>
    internal ServerProcess StartKestrel(byte[] body, bool keep = false)
    {
        var arguments = ArgumentsFor("kestrel", body, keep);
        return ServerProcess.Start(workspace, arguments[0], Environment.ProcessPath!, ["null-server", .. arguments], null);
    }

    /// <returns>Null when there is no C compiler.</returns>
    internal async Task<ServerProcess?> StartCAsync(byte[] body, bool keep = false)
    {
        if (WhyNoC is not null)
            return null;
        var arguments = ArgumentsFor("c", body, keep);
        return await AwaitAsync(ServerProcess.Start(workspace, arguments[0], _binary, arguments, null));
    }

    string[] ArgumentsFor(string kind, byte[] body, bool keep)
    {
        var name = $"null-{kind}-{++_started}";
        var bodyFile = Path.Combine(workspace.Root, name + ".json");
        File.WriteAllBytes(bodyFile, body);
        return [Path.Combine(workspace.Sockets, name), keep ? "keep" : "close", bodyFile];
    }

    static async Task<ServerProcess> AwaitAsync(ServerProcess server)
    {
        await server.FirstAnswerAsync(EngineRequest.Activate());
        return server;
    }
}
