using System.Diagnostics;
using VolumeManager.EndToEnd.Machines;

namespace VolumeManager.EndToEnd.Postgres;

/// <summary>
/// A PostgreSQL server of the test's own, reached by a Unix socket only. Stand-in until tests/Postgres is there.
/// It runs in a process namespace whose first process lives as long as its standard input is open: nothing outlives the test process.
/// </summary>
internal sealed class PostgresServer : IAsyncDisposable
{
    public const int Port = 5432;
    public const string User = "volman";
    const string Account = "postgres";
    const int SIGINT = 2;
    const int SIGSTOP = 19;
    const int SIGCONT = 18;

    static readonly string[] s_asAccount = ["--reuid", Account, "--regid", Account, "--init-groups", "--"];

    readonly MachineFolder _folder = new();
    Process? _unshare;

    PostgresServer()
    {
    }

    public string SocketFolder => _folder["sockets"];

    string Data => _folder["data"];

    public static async Task<PostgresServer> StartNewAsync()
    {
        var server = new PostgresServer();
        try
        {
            foreach (var folder in new[] { server.Data, server.SocketFolder })
                (await Command.RunAsync(Poll.Patience, "install", "--directory", "--mode", "700", "--owner", Account, folder)).MustSucceed();
            string[] initdb = ["--pgdata", server.Data, "--username", User, "--auth", "trust", "--no-sync", "--encoding", "UTF8", "--locale", "C"];
            (await Command.RunAsync(Poll.Patience, "setpriv", [.. s_asAccount, PostgresTools.Find("initdb")!, .. initdb])).MustSucceed();
            await server.StartAsync();
            return server;
        }
        catch
        {
            await server.DisposeAsync();
            throw;
        }
    }

    public string ConnectionString(string database) => ConnectionString(SocketFolder, database);

    public static string ConnectionString(string folder, string database) =>
        $"Host={folder};Port={Port};Username={User};Database={database};GSS Encryption Mode=Disable";

    public async Task StartAsync()
    {
        string[] settings = ["listen_addresses=", $"unix_socket_directories={SocketFolder}", $"port={Port}", "fsync=off"];
        string[] postgres = [PostgresTools.Find("postgres")!, "-D", Data, .. settings.SelectMany(setting => new[] { "-c", setting })];
        string[] shell = ["sh", "-c", "log=$1; shift; \"$@\" </dev/null >>\"$log\" 2>&1 & cat", "sh", _folder["log"], "setpriv", .. s_asAccount, .. postgres];
        _unshare = Process.Start(new ProcessStartInfo("unshare", ["--pid", "--fork", "--kill-child", .. shell]) { UseShellExecute = false, RedirectStandardInput = true })!;
        await Poll.UntilAsync("PostgreSQL answers", async () => (await PsqlAsync("postgres", "SELECT 1")).Succeeded);
    }

    /// <summary>Ends every session, writes everything down and goes.</summary>
    public async Task StopAsync()
    {
        ProcessTable.Signal(Processes()[0], SIGINT);
        await Poll.UntilAsync("PostgreSQL has ended", () => Processes().Count == 0);
        await KillAsync();
    }

    /// <summary>The end of the namespace is the end of every process in it.</summary>
    public async Task KillAsync()
    {
        if (_unshare is null)
            return;
        _unshare.StandardInput.Close();
        await Poll.UntilAsync("PostgreSQL's namespace has ended", () => _unshare.HasExited);
        _unshare.Dispose();
        _unshare = null;
    }

    public void Freeze() => SignalAll(SIGSTOP);

    public void Thaw() => SignalAll(SIGCONT);

    public Task<Command> PsqlAsync(string database, string query) =>
        Command.RunAsync(Poll.Patience, "psql", "--host", SocketFolder, "--port", $"{Port}", "--username", User, "--no-psqlrc", "--no-align", "--tuples-only",
            "--quiet", "--set", "ON_ERROR_STOP=1", "--command", query, database);

    public async ValueTask DisposeAsync()
    {
        await KillAsync();
        _folder.Dispose();
    }

    void SignalAll(int signal)
    {
        foreach (var pid in Processes())
            ProcessTable.Signal(pid, signal);
    }

    /// <summary>The server first, then its own processes. Not unshare's shell, nor the `cat` that this waits for.</summary>
    IReadOnlyList<int> Processes() => _unshare is null ? [] : [.. ProcessTable.DescendantsOf(_unshare.Id).Where(IsPostgres)];

    static bool IsPostgres(int pid) => File.Exists($"/proc/{pid}/comm") && File.ReadAllText($"/proc/{pid}/comm") == "postgres\n";
}
