using System.Diagnostics;
using System.Globalization;
using System.Net;

namespace VolumeManager.Linux;

/// <summary>What the kernel's NFS server exports of one directory, by exportfs(8): one line for each client host. The lines are in a file of their own as well, so that
/// whoever is shut out stays so when the server is started again.</summary>
internal sealed class KernelExports(string directory, string squash, KernelExports.Places places)
{
    static readonly TimeSpan s_patience = TimeSpan.FromSeconds(10);

    /// <summary>Where nfs-utils and the kernel have their things; others only in tests.</summary>
    /// <param name="File">Read by each start of the server and by <c>exportfs -r</c> (exports(5)).</param>
    /// <param name="Table">What is exported now, as exportfs keeps it and rpc.mountd tells the kernel.</param>
    /// <param name="Server">The file system nfsd.</param>
    internal sealed record Places(string Program = "exportfs", string File = "/etc/exports.d/volman.exports", string Table = "/var/lib/nfs/etab", string Server = "/proc/fs/nfsd");

    /// <summary>One host that may use the directory.</summary>
    /// <param name="Address">An IP address: names would be looked up, by us and by the server at each mount.</param>
    /// <param name="Fsid">Part of each file handle that the host is given: with another one its handles of before are worth nothing.</param>
    internal readonly record struct Client(string Address, Guid Fsid);

    /// <summary>Whether the kernel's NFS server runs.</summary>
    internal bool IsServed => File.Exists($"{places.Server}/threads") && File.ReadAllText($"{places.Server}/threads").Trim() is not ("" or "0");

    /// <summary>Makes these the directory's only clients. Who is dropped gets ESTALE for whatever it asks from now on.</summary>
    /// <exception cref="VolumeException">exportfs failed.</exception>
    internal void Set(IReadOnlyCollection<Client> clients)
    {
        Write(string.Concat(clients.OrderBy(c => c.Address, StringComparer.Ordinal).Select(c => $"{directory} {c.Address}({OptionsFor(c.Fsid)})\n")));
        var wanted = clients.ToDictionary(c => c.Address, c => c.Fsid);
        var there = ReadTable().Where(e => e.Fsid is not null).ToDictionary(e => e.Client);
        foreach (var address in there.Keys.Where(address => !wanted.ContainsKey(address))) Run("-u", EntryOf(address));
        foreach (var (address, fsid) in wanted.Where(w => !there.TryGetValue(w.Key, out var entry) || entry.Fsid != w.Value || !entry.IsSquashed)) Run("-o", OptionsFor(fsid), EntryOf(address));
    }

    /// <summary>Makes sure that the kernel knows of no export to an address, whatever the table says: it is written before the kernel is told, and both may have been cut off in between.</summary>
    /// <exception cref="VolumeException">That cannot be said: the address is still exported to, or others see another table.</exception>
    internal void ShutOut(string address)
    {
        if (!File.Exists(places.Table)) throw new VolumeException($"{places.Table} is not there: see that the NFS server of this host runs, and that volman sees its files");
        try
        {
            Run("-u", EntryOf(address));
        }
        catch (VolumeException) when (ReadTable().All(e => e.Client != address))
        {
            // It was not there.
        }

        Run("-f");
        if (ReadTable().Any(e => e.Client == address)) throw new VolumeException($"{directory} is exported to {address} again as soon as that is withdrawn: find out by whom, and stop it");
        Expire(address);
    }

    /// <summary>Ends what a client has open and locked, and waits until none of its calls is at work any more: others need not wait for the end of its NFS lease.</summary>
    /// <remarks>Kernel: Documentation/filesystems/nfs, nfsd/clients/*/ctl, since 5.3. NFS 3 has no state to end but locks, which its own daemons keep.</remarks>
    void Expire(string address)
    {
        var gone = IPAddress.Parse(address);
        foreach (var client in Directory.Exists($"{places.Server}/clients") ? Directory.GetDirectories($"{places.Server}/clients") : [])
        {
            try
            {
                var from = File.ReadLines($"{client}/info").FirstOrDefault(line => line.StartsWith("address: ", StringComparison.Ordinal))?["address: ".Length..].Trim('"');
                if (IPEndPoint.TryParse(from ?? "", out var end) && end.Address.Equals(gone)) File.WriteAllText($"{client}/ctl", "expire\n");
            }
            catch (IOException)
            {
                // It went by itself.
            }
        }
    }

    /// <returns>Clients to whom somebody else exports the directory too: hosts cannot be shut out while there are any.</returns>
    internal IReadOnlyList<string> Others() => [.. ReadTable().Where(e => e.Fsid is null).Select(e => e.Client)];

    /// <summary>Whether an earlier daemon has left lines.</summary>
    internal static bool AreLeft(Places places) => File.Exists(places.File);

    /// <summary>Withdraws what an earlier daemon exported of other directories than one; <see cref="Forget"/> follows when the catalog knows.</summary>
    internal static void Withdraw(Places places, string except = "")
    {
        if (!AreLeft(places)) return;
        var left = File.ReadLines(places.File).Where(line => line.StartsWith('/')).Select(line => line[..line.IndexOf(' ', StringComparison.Ordinal)]).Where(d => d != except).Distinct();
        foreach (var directory in left.ToList()) new KernelExports(directory, "", places).Set([]);
    }

    internal static void Forget(Places places) => File.Delete(places.File);

    string OptionsFor(Guid fsid) => $"rw,sync,no_subtree_check,{squash},fsid={fsid}";

    string EntryOf(string address) => address.Contains(':', StringComparison.Ordinal) ? $"[{address}]:{directory}" : $"{address}:{directory}";

    /// <remarks>A line: the path, a tab, the client, the options in brackets. Ours have a UUID for their fsid, and an address for their client.</remarks>
    IEnumerable<(string Client, Guid? Fsid, bool IsSquashed)> ReadTable()
    {
        foreach (var line in File.Exists(places.Table) ? File.ReadAllLines(places.Table) : [])
        {
            if (line.Split('\t') is not [var path, var entry] || path != directory || entry.IndexOf('(', StringComparison.Ordinal) is not (> 0 and var bracket)) continue;
            var client = entry[..bracket];
            var options = entry[(bracket + 1)..].TrimEnd(')').Split(',');
            var fsid = Array.Find(options, o => o.StartsWith("fsid=", StringComparison.Ordinal));
            yield return (client, IPAddress.TryParse(client, out _) && Guid.TryParse(fsid?["fsid=".Length..], CultureInfo.InvariantCulture, out var id) ? id : null, options.Contains(squash));
        }
    }

    void Write(string lines)
    {
        var text = $"# Made by volman serve, which has it as long as it is told to export this directory. What is changed here is lost.\n{lines}";
        if (File.Exists(places.File) && File.ReadAllText(places.File) == text) return;
        Directory.CreateDirectory(Path.GetDirectoryName(places.File)!);
        // Who is shut out stays so when the power fails now.
        DurableFile.Write(places.File, text);
    }

    void Run(params IEnumerable<string> arguments)
    {
        using var process = Process.Start(SystemProgram.StartInfo(places.Program, arguments))!;
        var said = process.StandardError.ReadToEndAsync();
        if (!process.WaitForExit(s_patience))
        {
            process.Kill();
            throw new VolumeException($"exportfs {string.Join(' ', arguments)} did not end within {s_patience.TotalSeconds:0} s: see to the resolver, which it asks for the names in /etc/exports");
        }

        if (process.ExitCode != 0) throw new VolumeException($"exportfs {string.Join(' ', arguments)} failed ({said.GetAwaiter().GetResult().ReplaceLineEndings(" ").Trim()}): see to the NFS server of this host");
    }
}
