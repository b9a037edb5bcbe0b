#!/usr/bin/env bash
# Sets up Volume Manager and shows its main job with real containers.
#
# usage: eng/run.sh [--keep | --stop DIR]
#   --keep      leaves the engine and volman running at the end and says how to use and how to stop them
#   --stop DIR  stops and removes what a run with --keep left, DIR as that run named it
#
# Run it as root on Debian with the .NET 10 SDK; what else is missing is installed. If a Docker engine
# runs on this machine, it is used. If none does, a private one is started in its own mount namespace,
# with all its files under a temporary directory. Either way nothing is left at the end.
set -euo pipefail
# shellcheck source=eng/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
# shellcheck source=eng/engine.sh
. "$ROOT/eng/engine.sh"

keep=false stop=''
while (($#)); do
  case $1 in
    --keep) keep=true ;;
    --stop)
      stop=${2-}
      [ -f "$stop/run.env" ] || fail "--stop needs the directory that a run with --keep named"
      shift
      ;;
    -h | --help) header_of "$0" && exit 0 ;;
    *) fail "unknown option $1; see --help" ;;
  esac
  shift
done
require_root

unset DOCKER_HOST DOCKER_CONTEXT # of the caller: this is about the engine of this machine
volume=demo-data image=volman-demo/busybox writer=demo-writer
volman_pid=''

headline=0
head_of() {
  headline=$((headline + 1))
  printf '\n\033[1m%d. %s\033[0m\n' "$headline" "$*" | if [ -t 1 ]; then cat; else sed 's/\x1b\[[01]m//g'; fi
}

# A command as a user would type it; a long one goes on in the next line before an option.
as_typed() {
  local word line='$'
  for word; do
    if [[ $word == -* ]] && ((${#line} > 90)); then
      say "$line \\"
      line='   '
    fi
    if [[ $word =~ ^[a-zA-Z0-9_./:=,@%+-]+$ ]]; then line+=" $word"; else line+=" '$word'"; fi
  done
  say "$line"
}
show() { # show COMMAND...: types it and runs it
  as_typed "$@"
  "$@" 2>&1 | sed 's/^/  /'
}
show_refusal() { # the same for a command that must fail
  as_typed "$@"
  if "$@" >"$work/refusal" 2>&1; then
    sed 's/^/  /' "$work/refusal"
    fail "that had to be refused"
  fi
  sed 's/^/  /' "$work/refusal"
}

start_volman() {
  local lines=0 began waited=0
  began=$(date +%s%N)
  if [ -f "$work/volman.log" ]; then lines=$(wc -l <"$work/volman.log"); fi
  local command=(volman serve --socket "$socket" --admin-socket "$work/admin.sock" --state-dir "$work/state"
    --mount-root "$work/mnt" --data-root "$work/volumes" --host-name demo-host)
  as_typed "${command[@]}"
  setsid "${enter[@]}" "$work/volman/${command[0]}" "${command[@]:1}" >>"$work/volman.log" 2>&1 </dev/null &
  volman_pid=$!
  disown $volman_pid # its death shall not be reported by the shell
  until tail -n "+$((lines + 1))" "$work/volman.log" | grep -q 'volman ready'; do
    waited=$((waited + 1))
    if ! kill -0 $volman_pid 2>/dev/null || ((waited > 600)); then
      tail -n 20 "$work/volman.log" >&2
      fail "volman does not get ready; its log is above"
    fi
    sleep 0.05
  done
  tail -n "+$((lines + 1))" "$work/volman.log" | grep -m1 -A1 'volman ready' | sed 's/^/  /'
  say "  ($(milliseconds_since "$began") ms from the start to ready, process $volman_pid)"
}
milliseconds_since() { say $((($(date +%s%N) - $1) / 1000000)); }

# Everything that a run made, whether it came to its end or not.
clean_up() {
  if [ -n "$driver" ] && [ -z "$engine_pid" ]; then
    docker rm -f $writer >/dev/null 2>&1 || true
    docker volume ls -q -f driver="$driver" | xargs -r docker volume rm >/dev/null 2>&1 || true
    docker image rm $image >/dev/null 2>&1 || true
  fi
  stop_volman
  stop_engine
  if [ -d "$work/mnt" ]; then findmnt -rno TARGET | grep -F "$work/mnt/" | xargs -r umount -l || true; fi
  rm -rf --one-file-system "$work"
}
stop_volman() {
  local pid tries
  for pid in $(marked_processes "ENG_RUN=$work"); do
    if ! grep -qazxF "$work/volman/volman" "/proc/$pid/cmdline" 2>/dev/null; then continue; fi
    kill "$pid" 2>/dev/null || continue
    for ((tries = 0; tries < 100; tries++)); do
      kill -0 "$pid" 2>/dev/null || continue 2
      sleep 0.1
    done
    say "volman (process $pid) does not stop at SIGTERM within 10 s: killed"
    kill -KILL "$pid" 2>/dev/null || true
    rm -f "$socket"
  done
}
finish() {
  local code=$?
  trap - EXIT INT TERM HUP
  if [ -n "$current" ]; then kill "$current" 2>/dev/null || true; fi
  if ((code != 0)); then say "cleaning up after the failure"; fi
  clean_up
  exit $code
}

if [ -n "$stop" ]; then
  work=$(cd "$stop" && pwd)
  # shellcheck disable=SC1091
  . "$work/run.env"
  export DOCKER_HOST
  for held in $(docker volume ls -q -f driver="$driver"); do
    users=$(docker ps -aq -f volume="$held" | paste -sd' ')
    if [ -n "$users" ] && [ -z "$engine_pid" ]; then fail "the volume $held is used by containers: docker rm -f $users"; fi
  done
  clean_up
  say "stopped; $work is gone"
  exit 0
fi

work=$(mktemp -d /tmp/volman-run.XXXXXX)
export ENG_RUN=$work # every process of this run carries it in its environment
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

head_of "What is missing on this machine"
use_dotnet
things=(docker dockerd containerd containerd-shim-runc-v2 runc busybox-static curl ps nsenter)
if grep -qsx Y /sys/module/apparmor/parameters/enabled; then things+=(apparmor_parser); fi
if ! run "$work/packages.log" install_missing "${things[@]}"; then
  tail -n 20 "$work/packages.log" >&2
  fail "could not install what is missing"
fi
grep -E '^(nothing|installing)' "$work/packages.log" | sed 's/^/  /'

head_of "Build volman (the first time takes a minute)"
command=(dotnet publish src/VolumeManager --configuration Release --output "$work/volman")
as_typed "${command[@]}"
cd "$ROOT"
began=$SECONDS
if ! run "$work/build.log" "${command[@]}"; then
  tail -n 30 "$work/build.log" >&2
  fail "the build failed; the end of its output is above"
fi
say "  built in $(duration $((SECONDS - began)))"

head_of "A Docker engine"
use_engine

head_of "An image without a registry: the static busybox of this machine"
make_image

head_of "Start volman"
start_volman

head_of "Create a volume with options"
show docker volume create -d "$driver" -o size=1G -o mode=0770 -o label.team=demo $volume

head_of "Write in one container, read in another"
show docker run --rm --network none -v $volume:/data $image sh -c 'echo "hello from container one" > /data/hello'
show docker run --rm --network none -v $volume:/data $image cat /data/hello

head_of "What Docker knows about it"
show docker volume ls
show docker volume inspect $volume

head_of "A volume in use is not removed"
say "A container that writes a numbered line with the time since boot ten times a second:"
# shellcheck disable=SC2016 # the container's shell fills it in
show docker run -d --name $writer --network none -v $volume:/data $image \
  sh -c 'n=0; while n=$((n + 1)); do echo "$n $(cut -d" " -f1 /proc/uptime)" >> /data/lines; usleep 100000; done'
say "Docker refuses what its own containers hold:"
show_refusal docker volume rm $volume
say "volman refuses what any host holds, and names the host. The same request, past Docker:"
command=(curl -sS --unix-socket "$socket" -d "{\"Name\":\"$volume\"}" http://volman/VolumeDriver.Remove)
as_typed "${command[@]}"
answer=$("${enter[@]}" "${command[@]}")
say "  $answer"
case $answer in *'"Err":""'* | '{}') fail "volman removed a volume in use" ;; esac

head_of "Kill the daemon while the container writes"
lines() { docker exec $writer tail -n 1 /data/lines | cut -d' ' -f1; }
sleep 1
say "line $(lines) is written"
show kill -KILL $volman_pid
sleep 2
say "no daemon runs; line $(lines) is written"
start_volman
say "Nothing is forgotten: who holds the volume, and what is in it."
show docker volume inspect -f '{{json .Status.Holders}}' $volume
show docker run --rm --network none -v $volume:/data $image cat /data/hello
sleep 1
# shellcheck disable=SC2016 # awk's own fields
show docker exec $writer awk '$1 != NR { holes++ } NR > 1 && $2 - last > pause { pause = $2 - last } { last = $2 }
  END { printf "%d lines, %d missing, the longest pause between two was %.2f s\n", NR, holes, pause }' /data/lines

head_of "Remove it"
show docker rm -f $writer
show docker volume rm $volume
show docker volume ls
say "The data waits in the trash, for 24 hours unless told otherwise:"
show find "$work/volumes/.trash" -type f

if $keep; then
  trap - EXIT INT TERM HUP
  declare -p driver socket engine_pid DOCKER_HOST ENG_RUN >"$work/run.env"
  head_of "Left running, as --keep says"
  say "Use it:   export DOCKER_HOST=$DOCKER_HOST"
  say "          docker volume create -d $driver my-volume"
  say "          docker run --rm -it --network none -v my-volume:/data $image sh"
  say "Look:     $work/volumes (data), $work/volman.log (what volman says)"
  say "Stop it:  eng/run.sh --stop $work"
else
  head_of "Clean up"
  trap - EXIT INT TERM HUP
  clean_up
  say "the engine, volman and $work are gone"
fi
say
say "done in $(duration $SECONDS)"
