namespace VolumeManager.TestSupport.Postgres;

/// <summary>Who the server runs as: PostgreSQL refuses root, which tests that mount must be.</summary>
internal sealed record PostgresUser(string Uid, string Gid)
{
    /// <summary>None when the tests are not root: then the server runs as they do.</summary>
    public static PostgresUser? Other { get; } = Environment.IsPrivilegedProcess ? Find("postgres") ?? Find("nobody") ?? throw Nobody() : null;

    /// <summary>What stands before a command so that this user runs it.</summary>
    public static IEnumerable<string> Become(params IEnumerable<string> options)
    {
        string[] all = [.. Other is { } user ? ["--reuid", user.Uid, "--regid", user.Gid, "--clear-groups"] : Array.Empty<string>(), .. options];
        return all is [] ? [] : ["setpriv", .. all, "--"];
    }

    static PostgresUser? Find(string name) =>
        // passwd(5): name:password:uid:gid:…
        File.ReadLines("/etc/passwd").Select(line => line.Split(':')).FirstOrDefault(fields => fields[0] == name) is { Length: > 3 } found
            ? new PostgresUser(found[2], found[3])
            : null;

    static InvalidOperationException Nobody() =>
        new("PostgreSQL does not run as root, and /etc/passwd has neither a user postgres nor a user nobody: add one of them.");
}
