using VolumeManager.TestSupport.Polling;
using VolumeManager.TestSupport.Processes;

namespace VolumeManager.TestSupport.Postgres;

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

    readonly RunningProgram _shell;

    PostgresProcess(RunningProgram shell, int postmaster) => (_shell, Postmaster) = (shell, postmaster);

    public int Postmaster { get; }

    public bool HasExited => _shell.HasExited;

    public static async Task<PostgresProcess> StartAsync(PostgresFolder folder, IEnumerable<string> arguments)
    {
        // A session of its own: neither Ctrl-C nor a kill of the whole test run's group ends the guard before its time.
        string[] command = ["setsid", "sh", "-c", Guard, "postgres-guard", folder.Log, .. PostgresUser.Become("--pdeathsig", "KILL"), .. arguments];
        var shell = new RunningProgram("postgres", PostgresPrograms.StartInfo(folder, command), keepsInput: true);
        await shell.UntilAsync("starts", () => Task.FromResult(shell.Log is not []));
        return int.TryParse(shell.Log[0], out var postmaster) ? new PostgresProcess(shell, postmaster) : throw new InvalidOperationException($"No server: {folder.LogTail()}");
    }

    /// <returns>False when it still runs at the deadline.</returns>
    public Task<bool> ExitsWithinAsync(TimeSpan deadline) => Poll.HoldsWithinAsync(deadline, () => _shell.HasExited);

    public void Dispose() => _shell.Dispose();
}
