using System.Diagnostics;

namespace VolumeManager.Postgres;

/// <summary>A running postmaster, which ends with us whatever ends us.</summary>
internal sealed class PostgresProcess : IDisposable
{
    /// <summary>
    /// The postmaster's parent. Its standard input is a pipe that only we hold: when that ends, we are dead, and it kills the postmaster with all of its children.
    /// A parent-death signal alone would not do: it comes when the thread that forked ends, and .NET's pool ends idle threads; and a busy backend would live on.
    /// Here it covers the death of this shell, which has one thread.
    /// </summary>
    const string Guard = """
        log=$1; shift
        exec 3<&0 2>>"$log"
        "$@" </dev/null >>"$log" 3<&- &
        server=$!
        {
            while read -r _; do :; done <&3
            kill -STOP $server
            children=
            for stat in /proc/[0-9]*/stat; do
                { read -r line <"$stat"; } 2>/dev/null || continue
                set -- ${line##*") "}
                [ "$2" = $server ] && children="$children ${line%% *}"
            done
            # The small System V segment that a killed server leaves behind; now, for this shell ends with the server.
            set -- $(sed -n 7p data/postmaster.pid)
            ipcrm -m $2
            kill -KILL $children $server
        } >/dev/null &
        guard=$!
        echo $server
        wait $server
        code=$?
        kill -KILL $guard
        exit $code
        """;

    readonly Process _shell;

    PostgresProcess(Process shell, int postmaster) => (_shell, Postmaster) = (shell, postmaster);

    public int Postmaster { get; }

    public bool HasExited => _shell.HasExited;

    public static async Task<PostgresProcess> StartAsync(PostgresFolder folder, IEnumerable<string> arguments)
    {
        // A session of its own: neither Ctrl-C nor a kill of the whole test run's group ends the guard before its time.
        string[] command = ["setsid", "sh", "-c", Guard, "postgres-guard", folder.Log, .. PostgresUser.Become("--pdeathsig", "KILL"), .. arguments];
        var shell = Process.Start(PostgresPrograms.StartInfo(folder, command))!;
        var line = await shell.StandardOutput.ReadLineAsync().WaitAsync(TimeSpan.FromSeconds(30));
        return int.TryParse(line, out var postmaster) ? new PostgresProcess(shell, postmaster) : throw new InvalidOperationException($"No server: {folder.LogTail()}");
    }

    /// <returns>False when it still runs at the deadline.</returns>
    public async Task<bool> ExitsWithinAsync(TimeSpan deadline)
    {
        try
        {
            await _shell.WaitForExitAsync().WaitAsync(deadline);
            return true;
        }
        catch (TimeoutException)
        {
            return false;
        }
    }

    public void Dispose() => _shell.Dispose();
}
