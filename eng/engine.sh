# shellcheck shell=bash disable=SC2154
# Sourced by run.sh: a Docker engine for it, the one that runs or a private one, and an image.
# Reads: work, image, writer. Sets: DOCKER_HOST, driver and socket (volman's name and place), enter (how to run
# something in the engine's mount namespace: there volman has to mount), engine_pid (of a private engine).

driver='' socket='' engine_pid='' enter=()

use_engine() {
  local pid
  if DOCKER_HOST=unix:///run/docker.sock docker info >/dev/null 2>&1 && pid=$(cat /run/docker.pid 2>/dev/null); then
    export DOCKER_HOST=unix:///run/docker.sock
    socket=/run/docker/plugins/volman-demo.sock
    if [ "$(readlink "/proc/$pid/ns/mnt")" != "$(readlink /proc/self/ns/mnt)" ]; then enter=(nsenter -t "$pid" -m --); fi
    if [ -S $socket ] && curl -s --unix-socket $socket -X POST http://volman/Plugin.Activate >/dev/null; then
      fail "another run with --keep uses $socket: stop it first"
    fi
    if docker container inspect "$writer" >/dev/null 2>&1; then fail "there is already a container $writer: remove it first"; fi
    driver=volman-demo # from here on, what has this driver or these names is ours to remove
    say "  the one of this machine, $(docker version -f '{{.Server.Version}}'); volman's driver name on it is $driver"
  else
    start_engine
  fi
}

# containerd and dockerd in a mount namespace of their own. A tmpfs on /run and a copy of /etc without Docker's
# and volman's settings hide what the machine has there, so that nothing of this run and of the machine meets.
start_engine() {
  local began=$SECONDS
  driver=volman socket=/run/docker/plugins/volman.sock
  cp -a /etc "$work/etc"
  rm -rf "$work/etc/docker" "$work/etc/volman"
  # shellcheck disable=SC2016 # the inner shell's argument
  setsid unshare --mount --propagation slave sh -c '
    mount --make-rshared / && mount --bind "$1/etc" /etc && mount -t tmpfs -o mode=755 tmpfs /run && mkdir /run/lock &&
    echo ready && exec sleep infinity' sh "$work" >"$work/namespace" 2>&1 </dev/null &
  engine_pid=$!
  disown # none of the three's end shall be reported by the shell
  wait_for "the mount namespace" "$work/namespace" grep -q ready "$work/namespace"
  enter=(nsenter -t "$engine_pid" -m --)

  mkdir -p "$work/engine"
  cat >"$work/engine/containerd.toml" <<END
version = 2
root = "$work/engine/containerd"
state = "$work/engine/containerd-state"
disabled_plugins = ["io.containerd.grpc.v1.cri"]
[grpc]
  address = "$work/containerd.sock"
END
  setsid "${enter[@]}" containerd --config "$work/engine/containerd.toml" >"$work/containerd.log" 2>&1 </dev/null &
  disown
  wait_for containerd "$work/containerd.log" test -S "$work/containerd.sock"
  setsid "${enter[@]}" dockerd --host "unix://$work/docker.sock" --containerd "$work/containerd.sock" \
    --data-root "$work/engine/docker" --exec-root "$work/engine/docker-exec" --pidfile "$work/docker.pid" \
    --exec-opt native.cgroupdriver=cgroupfs --cgroup-parent "/${work##*/}" \
    --bridge=none --iptables=false --ip6tables=false --ip-forward=false --ip-masq=false >"$work/dockerd.log" 2>&1 </dev/null &
  disown
  export DOCKER_HOST=unix://$work/docker.sock
  wait_for dockerd "$work/dockerd.log" docker version
  say "  none runs here: a private one, $(docker version -f '{{.Server.Version}}'), in its own mount namespace, in $(duration $((SECONDS - began)))"
  say "$ export DOCKER_HOST=$DOCKER_HOST"
}

wait_for() { # wait_for NAME LOG COMMAND...
  local name=$1 log=$2 tries
  shift 2
  for ((tries = 0; tries < 300; tries++)); do
    if "$@" >/dev/null 2>&1; then return 0; fi
    sleep 0.1
  done
  tail -n 20 "$log" >&2
  fail "$name does not start; its log is above"
}

make_image() {
  local dir=$work/image
  mkdir -p "$dir/bin" "$dir/data"
  cp "$(command -v busybox)" "$dir/bin/busybox"
  "$dir/bin/busybox" --list | sed '/^busybox$/d' | (cd "$dir/bin" && xargs -n1 ln -sf busybox)
  say "\$ tar -C image -c . | docker import - $image"
  tar -C "$dir" -c . | docker import - "$image" | sed 's/^/  /'
}

# Nothing of a private engine is to be kept, so it is not asked to stop: its containers, which are in control
# groups of their own, are killed first, then it and its helpers, and its namespace goes with the last of them.
stop_engine() {
  [ -n "$engine_pid" ] || return 0
  local groups="*/${work##*/}*" pids
  mapfile -t pids < <(find /sys/fs/cgroup -path "$groups" -name cgroup.procs -exec cat {} + 2>/dev/null | sort -u)
  if ((${#pids[@]})); then kill -KILL "${pids[@]}" 2>/dev/null || true; fi
  mapfile -t pids < <(marked_processes "ENG_RUN=$work")
  if ((${#pids[@]})); then kill -KILL "${pids[@]}" 2>/dev/null || true; fi
  # The kernel lets go of a dead container's control groups a moment later.
  sleep 0.3
  find /sys/fs/cgroup -depth -type d -path "$groups" -exec rmdir {} + 2>/dev/null || true
}
