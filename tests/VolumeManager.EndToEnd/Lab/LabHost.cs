namespace VolumeManager.EndToEnd.Lab;

/// <summary>One host of the laboratory: commands on it, its power, its network.</summary>
internal sealed class LabHost(Laboratory lab, string name)
{
    static readonly TimeSpan s_patience = TimeSpan.FromMinutes(4);
    internal const string StateDirectory = "/srv/volman";
    internal const string Database = "Host=h4;Database=volman;Username=postgres";

    public string Name => name;

    /// <summary>Runs a shell script; fails with what it printed when it fails.</summary>
    internal async Task<string> ShAsync(string script, TimeSpan? deadline = null) => (await TryAsync(script, deadline)).MustSucceed().Output;

    internal Task<Command> TryAsync(string script, TimeSpan? deadline = null) => lab.TryAsync(deadline ?? s_patience, "sh", name, script);

    internal Task<string> DockerAsync(string arguments) => ShAsync($"docker {arguments}");

    /// <summary>Runs a container to its end with a volume at /x. A network of its own would take longer to make than the rest, and none of these containers needs one.</summary>
    internal Task<string> RunAsync(string volume, string script, string options = "") => DockerAsync($"run --rm --network host {options} --volume {volume}:/x busybox sh -c '{script}'");

    /// <summary>Starts a container that only holds a volume.</summary>
    internal Task HoldAsync(string volume, string name) => DockerAsync($"run --detach --network host --name {name} --volume {volume}:/x busybox sleep 100000");

    /// <returns>What the engine said, which must be an error.</returns>
    internal async Task<string> RefusedAsync(string arguments)
    {
        var command = await TryAsync($"docker {arguments}");
        Assert.False(command.Succeeded, $"{name}: docker {arguments} should have failed: {command.Output}");
        return command.Errors;
    }

    /// <summary>Copies the program onto the host's disk, which outlives its boots.</summary>
    internal Task InstallAsync(string program) => lab.RunAsync("copy", Path.GetDirectoryName(program)!, $"{name}:/srv");

    internal Task MigrateAsync() => ShAsync($"/srv/volman/volman migrate --database '{Database}'");

    /// <summary>volman and the engine, as after a boot.</summary>
    internal async Task StartAllAsync(string options = "")
    {
        // As on any host: volman first, and the engine finds it.
        await StartVolmanAsync(options);
        await ShAsync("start-docker");
        // A swarm gives tasks only to engines that have met the plugin.
        await DockerAsync("volume ls");
    }

    /// <param name="storage">What volumes lie on that name nothing else.</param>
    internal Task StartVolmanAsync(string options = "", string storage = "--nfs-server h0 --nfs-export /") => ShAsync($"""
        mkdir -p {StateDirectory}
        setsid /srv/volman/volman serve --database '{Database}' --state-dir {StateDirectory}/state --mount-root {StateDirectory}/mnt --data-root {StateDirectory}/data \
          --backend nfs {storage} --lease {Laboratory.Lease.TotalSeconds}s --takeover-grace {Laboratory.Grace.TotalSeconds}s --reconcile-interval 2s --engine-grace 2s --log-level debug {options} \
          >>/srv/volman.log 2>&1 </dev/null &
        for i in $(seq 300); do [ -S /run/docker/plugins/volman.sock ] && exit 0; sleep 0.1; done
        tail -5 /srv/volman.log >&2; exit 1
        """);

    /// <summary>Ends all containers of the host, and sees that no volume stays mounted. One script, and curl: each start of a program as large as docker takes half a second.</summary>
    internal Task EndContainersAsync() => ShAsync($$"""
        containers() { curl -s --unix-socket /run/docker.sock 'http://docker/containers/json?all=1' | grep -q Id; }
        for i in $(seq 300); do
          if containers; then docker ps -aq | xargs -r docker rm -f >/dev/null 2>&1; fi
          ! containers && ! grep -q ' {{StateDirectory}}/mnt/' /proc/self/mountinfo && exit 0
          sleep 0.1
        done
        docker ps -a >&2; grep ' {{StateDirectory}}/mnt/' /proc/self/mountinfo >&2; exit 1
        """);

    /// <summary>Runs one of volman's own commands.</summary>
    internal Task<string> VolmanAsync(string arguments) => ShAsync($"/srv/volman/volman {arguments}");

    /// <summary>Calls the plugin past the engine.</summary>
    internal Task<string> CallAsync(string call, string volume, string caller = "") => ShAsync(
        $"curl -s --unix-socket /run/docker/plugins/volman.sock -d '{{\"Name\":\"{volume}\",\"ID\":\"{caller}\"}}' http://volman/VolumeDriver.{call}");

    internal Task KillVolmanAsync() => ShAsync("pkill -KILL -x volman; while pgrep -x volman >/dev/null; do sleep 0.05; done");

    internal Task PowerOffAsync() => lab.RunAsync("kill", name);

    /// <summary>Boots the host: its disk is as it was, nothing runs yet.</summary>
    internal Task PowerOnAsync() => lab.RunAsync("start", name);

    /// <summary>From everybody.</summary>
    internal Task CutAsync() => lab.RunAsync("cut", name);

    internal Task CutFromAsync(LabHost other) => lab.RunAsync("cut", name, other.Name);

    internal Task FreezeAsync() => lab.RunAsync("freeze", name);

    internal Task ThawAsync() => lab.RunAsync("thaw", name);

    /// <summary>How many NFS exports the host has mounted for itself whose places' names contain a text.</summary>
    internal Task<string> ExportsAsync(string named = "") => ShAsync($"grep -c ' {StateDirectory}/state/nfs/[^ ]*{named}' /proc/self/mountinfo || true");

    internal Task<string> LogAsync() => ShAsync("tail -60 /srv/volman.log; tail -20 /var/log/dockerd.log");
}
