using VolumeManager.Linux;

namespace VolumeManager.Tests.Clusters;

/// <summary>A script in the place of exportfs(8) that keeps the same table, and a folder in the place of the kernel's nfsd. This machine's kernel need not serve NFS: the real
/// ones are at work in the laboratory (tests/VolumeManager.EndToEnd/Lab/NfsHostServed).</summary>
internal sealed class ExportfsStandIn : IDisposable
{
    readonly ScratchFolder _folder = new();

    internal ExportfsStandIn()
    {
        Places = new KernelExports.Places($"{_folder}/exportfs", $"{_folder}/exports.d/volman.exports", $"{_folder}/etab", $"{_folder}/nfsd");
        File.WriteAllText(Places.Program, """
            #!/bin/bash
            cd "$(dirname "$0")"
            [ -e broken ] && { echo "exportfs: out of order" >&2; exit 1; }
            touch etab
            echo "$*" >>calls
            [ "$1" = -f ] && exit 0
            entry=${*: -1} client=${entry%:/*} path=/${entry##*:/}
            client=${client#[} client=${client%]}
            [ "$1" = -u ] && ! grep -q "^$path	$client(" etab && { echo "exportfs: Could not find '$client:$path' to unexport." >&2; exit 1; }
            awk -v path="$path" -v client="$client" -F'\t' '!($1 == path && index($2, client "(") == 1)' etab >etab.new
            [ "$1" = -u ] || printf '%s\t%s(%s,anonuid=65534,sec=sys)\n' "$path" "$client" "$2" >>etab.new
            mv etab.new etab
            """);
        File.SetUnixFileMode(Places.Program, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        Directory.CreateDirectory(Places.Server);
        File.WriteAllText($"{Places.Server}/threads", "8\n");
    }

    internal KernelExports.Places Places { get; }

    internal bool IsBroken
    {
        set
        {
            if (value) File.WriteAllText($"{_folder}/broken", "");
            else File.Delete($"{_folder}/broken");
        }
    }

    /// <summary>What is exported now, a line an entry, sorted.</summary>
    internal string[] Table => File.Exists(Places.Table) ? [.. File.ReadAllLines(Places.Table).Select(l => l.Replace('\t', ' ')).Order(StringComparer.Ordinal)] : [];

    /// <summary>The addresses of those who may use the directory.</summary>
    internal string Clients => string.Join(' ', Table.Select(line => line.Split(' ')[1].Split('(')[0]));

    /// <summary>How often it was called to say something.</summary>
    internal int Calls(string beginning) => File.ReadLines($"{_folder}/calls").Count(line => line.StartsWith(beginning, StringComparison.Ordinal));

    internal void Export(string directory, string client) => File.AppendAllText(Places.Table, $"{directory}\t{client}(rw,sync)\n");

    /// <summary>An NFS client as nfsd shows it.</summary>
    /// <returns>The file that ends it.</returns>
    internal string Connect(int number, string address)
    {
        var folder = Directory.CreateDirectory($"{Places.Server}/clients/{number}").FullName;
        File.WriteAllText($"{folder}/info", $"clientid: 0x1\naddress: \"{address}:734\"\nstatus: confirmed\n");
        File.WriteAllText($"{folder}/ctl", "");
        return $"{folder}/ctl";
    }

    public void Dispose() => _folder.Dispose();
}
