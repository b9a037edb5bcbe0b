using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;

namespace VolumeManager.Commands;

/// <summary>What people type, at the end of each verb's help. A test parses them all, and finds the verbs that have none.</summary>
internal sealed class Examples(HelpAction help) : SynchronousCommandLineAction
{
    static readonly Dictionary<string, string[]> s_examples = new(StringComparer.Ordinal)
    {
        ["serve"] = ["serve", "serve --data-root /srv/volumes --trash-retention 72h", "serve --database-file /etc/volman/database --backend nfs --nfs-server files --nfs-export /srv/volumes"],
        ["status"] = ["status", "status --output json"],
        ["migrate"] = ["migrate --database-file /root/volman-owner", "migrate --from-local --dry-run"],
        ["completion"] = ["completion bash > /etc/bash_completion.d/volman"],
        ["volume ls"] = ["volume ls --label team=web", "volume ls --output json | jq -r '.[].name'"],
        ["volume inspect"] = ["volume inspect shop"],
        ["volume create"] = ["volume create shop -o size=10G -o label.team=web", "volume create shop -o path=old/shop --dry-run", "volume create shared -o backend=nfs -o server=files -o export=/srv/volumes"],
        ["volume rm"] = ["volume rm shop", "volume rm shop --dry-run"],
        ["volume restore"] = ["volume restore shop", "volume restore shop --dry-run", "volume restore shop --as shop-of-yesterday"],
        ["volume set"] = ["volume set shop size=20G label.team=web", "volume set shop --unset size --dry-run"],
        ["volume move"] = ["volume move shop --server files --export /srv/volumes --dry-run", "volume move shop --backend local"],
        ["volume clone"] = ["volume clone shop shop-test", "volume clone shop shop-test --live -o label.team=qa"],
        ["volume adopt"] = ["volume adopt", "volume adopt old/shop --as shop", "volume adopt --all --server files --export /srv/volumes"],
        ["mount ls"] = ["mount ls --volume shop", "mount ls --host one"],
        ["trash ls"] = ["trash ls"],
        ["trash empty"] = ["trash empty shop", "trash empty --dry-run", "trash empty --yes --wait"],
        ["host ls"] = ["host ls"],
        ["host evict"] = ["host evict three --dry-run", "host evict three"],
        ["report volumes"] = ["report volumes --label team=web", "report volumes --format csv > volumes.csv"],
        ["report usage"] = ["report usage --volume shop --since 30d"],
        ["report idle"] = ["report idle --since 90d"],
        ["report mounts"] = ["report mounts --host one"],
        ["report history"] = ["report history --volume shop --since 7d"],
        ["report hosts"] = ["report hosts"],
        ["report growth"] = ["report growth --since 30d --limit 10"],
        ["report cost"] = ["report cost --label team --price 0.10 --since 30d"],
        ["doctor"] = ["doctor", "doctor --repair --dry-run", "doctor --repair --only index-missing index-invalid"],
        ["event ls"] = ["event ls --volume shop", "event ls --failed --since 1d"],
        ["token create"] = ["token create grafana --role viewer --expires 90d", "token create grafana --role viewer --dry-run"],
        ["token ls"] = ["token ls"],
        ["token rm"] = ["token rm grafana", "token rm grafana --dry-run"],
    };

    /// <summary>What stands behind <c>volman</c>.</summary>
    internal static IReadOnlyList<string> Of(string verb) => s_examples.GetValueOrDefault(verb) ?? [];

    /// <summary>The verb's words, without <c>volman</c>.</summary>
    internal static string VerbOf(Command command) => command is RootCommand ? "" : $"{VerbOf(command.Parents.OfType<Command>().First())} {command.Name}".Trim();

    public override int Invoke(ParseResult parseResult)
    {
        var exitCode = help.Invoke(parseResult);
        var output = parseResult.InvocationConfiguration.Output;
        if (Of(VerbOf(parseResult.CommandResult.Command)) is not { Count: > 0 } examples) return exitCode;
        output.WriteLine("Examples:");
        foreach (var example in examples) output.WriteLine($"  volman {example}");
        output.WriteLine();
        return exitCode;
    }
}
