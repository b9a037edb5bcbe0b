#!/usr/bin/env bash
# Sets up everything and runs all checks and tests of Volume Manager.
#
# usage: eng/test.sh [--unit] [--filter EXPR] [--schedules N]
#   --unit         only tests/VolumeManager.Tests: no engine, no container
#   --filter EXPR  only the tests that `dotnet test --filter EXPR` picks
#   --schedules N  how many random schedules the cluster simulation runs (200), and how many random sequences
#                  the model of one host (60); with --filter 'FullyQualifiedName~ClusterSimulation|FullyQualifiedName~MountModel'
#                  nothing else. VOLMAN_TEST_SEED replays the schedule whose seed a failure of the simulation printed
#
# Run it as root on Debian with the .NET 10 SDK; what else is missing is installed.
# Full logs are in artifacts/test-logs. The last line is `N passed, N failed, N skipped`;
# a step that fails (build, format, ...) counts as one failure. TEST_MINUTES (85, and one
# for every five schedules asked for) is the time after which a test project is stopped,
# LAB_MINUTES (30) that for building the laboratory (tests/lab), which is kept in ~/.cache/volman.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=eng/common.sh
. eng/common.sh

projects=(VolumeManager.Tests VolumeManager.EndToEnd)
filter=''
schedules=0
while (($#)); do
  case $1 in
    --unit) projects=(VolumeManager.Tests) ;;
    --filter)
      filter=${2-}
      [ -n "$filter" ] || fail "--filter needs an expression, for example FullyQualifiedName~Mount"
      shift
      ;;
    --schedules)
      schedules=${2-}
      [[ $schedules =~ ^[1-9][0-9]{0,6}$ ]] || fail "--schedules needs a number, for example 1000"
      export VOLMAN_TEST_SEQUENCES=$schedules
      shift
      ;;
    -h | --help) header_of "$0" && exit 0 ;;
    *) fail "unknown option $1; see --help" ;;
  esac
  shift
done

export HOME="${HOME:-/root}"
LOGS=$ROOT/artifacts/test-logs
rm -rf "$LOGS"
mkdir -p "$LOGS"

passed=0 failed=0 skipped=0 matched=0
times=()
export ENG_TEST_RUN="$$-$RANDOM" # every process of this run carries it in its environment

# Whatever happens, the run ends with nothing left behind and with the closing line.
finish() {
  local code=$?
  trap - EXIT INT TERM HUP
  if [ -n "$current" ]; then
    kill -TERM "$current" 2>/dev/null || true
    failed=$((failed + 1))
    say "stopped before the end"
  elif ((code != 0 && failed == 0)); then
    failed=1
  fi
  end_leftovers
  if ((${#times[@]})); then
    say
    say "Time by step:"
    printf '  %s\n' "${times[@]}" "$(printf '%-34s %s' total "$(duration $SECONDS)")"
  fi
  say "Logs: $LOGS"
  say "$passed passed, $failed failed, $skipped skipped"
  if ((failed > 0)); then exit 1; fi
  exit 0
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# Engines and daemons of a test that crashed.
end_leftovers() {
  local left
  mapfile -t left < <(marked_processes "ENG_TEST_RUN=$ENG_TEST_RUN")
  ((${#left[@]})) || return 0
  say "ending what the tests left running:"
  ps -o pid=,args= -p "$(IFS=, && echo "${left[*]}")" | cut -c1-140 || true
  kill -KILL "${left[@]}" 2>/dev/null || true
}

progress_in() {
  local tests
  tests=$(grep -cE '^  (Passed|Failed|Skipped) ' "$1" || true)
  if ((tests > 0)); then say "$tests tests done"; else tail -n 1 "$1" | sed 's/^ *//' | cut -c1-110; fi
}

took() { # took NAME SECONDS
  times+=("$(printf '%-34s %s' "$1" "$(duration "$2")")")
}

# step NAME COMMAND...: one step with its own log; counts a failure and shows the end of the log.
step() {
  local name=$1 log started=$SECONDS code=0
  log=$LOGS/${name//[^a-zA-Z0-9.]/-}.log
  shift
  say "==> $name"
  run "$log" "$@" || code=$?
  took "$name" $((SECONDS - started))
  if ((code == 0)); then
    say "    done in $(duration $((SECONDS - started)))"
    return 0
  fi
  failed=$((failed + 1))
  say "    FAILED (exit code $code), the end of $log:"
  tail -n 40 "$log" | sed 's/^/    /'
  return 1
}

must() { step "$@" || exit 1; }

# From a running log, what a reader wants at once: each failure with its message, each skip with its reason.
watch_tests() {
  awk '
    /^\[xUnit\.net .*\[SKIP\]$/ { sub(/^\[[^]]*\] */, ""); sub(/ \[SKIP\]$/, ""); skip = $0; next }
    skip != ""                  { sub(/^\[[^]]*\] */, ""); print "    skipped: " skip ": " $0; fflush(); skip = ""; next }
    /^  Failed /                { left = 40 }
    /^  (Passed|Skipped) |^\[xUnit\.net|^Total tests:|^Test Run|^The active test run/ { left = 0 }
    /^--- End of stack trace/   { next }
    left > 0                    { print "    " (--left > 0 ? substr($0, 1, 400) : "… (the rest is in the log)"); fflush() }'
}

counter() { # counter NAME TRX
  sed -n 's/.*<Counters .*\b'"$1"'="\([0-9]*\)".*/\1/p' "$2" | head -n 1
}

run_tests() { # run_tests PROJECT [SCOPE FILTER]
  local project=$1 scope=${2-} only=${3-} started=$SECONDS code=0 watcher total=0 good=0 bad=0
  local name=$project${scope:+.$scope}
  local log=$LOGS/$name.log trx=$LOGS/$name.trx which=$filter
  if [ -n "$only" ]; then which="${filter:+($filter)&}$only"; fi
  local seconds_left=$((${TEST_MINUTES:-$((85 + schedules / 5))} * 60 - SECONDS))
  local options=(--no-build --configuration Release --results-directory "$LOGS" --logger "trx;LogFileName=$name.trx"
    --logger "console;verbosity=normal" --blame-hang-timeout "$((20 + schedules / 5))m" --blame-hang-dump-type none)
  if [ -n "$which" ]; then options+=(--filter "$which"); fi
  say "==> tests: $name"
  : >"$log"
  tail -n +1 -f --pid=$$ "$log" 2>/dev/null > >(watch_tests) &
  watcher=$!
  run "$log" env VOLMAN_TEST_SCOPE="$scope" timeout -k 30 $((seconds_left > 60 ? seconds_left : 60)) dotnet test "tests/$project" "${options[@]}" || code=$?
  sleep 1.2 # tail looks once a second
  kill "$watcher" 2>/dev/null || true
  wait "$watcher" 2>/dev/null || true
  took "tests: $name" $((SECONDS - started))

  if [ -f "$trx" ]; then
    total=$(counter total "$trx") good=$(counter passed "$trx") bad=$(counter failed "$trx")
    total=${total:-0} good=${good:-0} bad=${bad:-0}
  fi
  local others=$((total - good - bad)) broken=''
  matched=$((matched + total))
  if ((code == 124 || code == 137)); then
    broken="stopped: no time left"
  elif grep -q '^Test Run Aborted' "$log"; then
    broken="the run was aborted"
  elif ((total == 0)) && [ -z "$filter" ]; then
    broken="no test ran"
  elif ((code != 0 && bad == 0)); then
    broken="dotnet test ended with exit code $code"
  fi
  if [ -n "$broken" ]; then
    bad=$((bad + 1))
    say "    FAILED: $broken; the end of $log:"
    tail -n 15 "$log" | cut -c1-400 | sed 's/^/    /'
  fi
  passed=$((passed + good)) failed=$((failed + bad)) skipped=$((skipped + others))
  say "    $good passed, $bad failed, $others skipped in $(duration $((SECONDS - started)))"
}

pending_model_changes() {
  local project
  for project in migrations/*/; do
    (cd "$project" && dotnet ef migrations has-pending-model-changes --no-build --configuration Release) || return 1
  done
}

use_dotnet
export DEBIAN_FRONTEND=noninteractive
must "Debian packages" install_missing docker dockerd containerd containerd-shim-runc-v2 runc iptables busybox-static \
  libsqlite3.so.0 sqlite3 mmdebstrap gcc ps git slirp4netns unshare nsenter setpriv ip postgres psql faketime mkfs.ext4 mkfs.xfs curl docker-registry \
  systemd-nspawn lintian
if [[ " ${projects[*]} " == *EndToEnd* ]] && [ -z "${VOLMAN_E2E_ENGINE_ROOT_28-}" ]; then
  cache=${XDG_CACHE_HOME:-$HOME/.cache}/volman/engine-28
  step_failed=0
  say "==> Docker 28.5 in $cache"
  run "$LOGS/engine-28.log" eng/engine-root.sh "$cache" || step_failed=1
  sed 's/^/    /' <(tail -n 3 "$LOGS/engine-28.log")
  if ((step_failed)); then say "    going on without it: its tests are skipped"; else export VOLMAN_E2E_ENGINE_ROOT_28=$cache; fi
fi
lab_build=
if [[ " ${projects[*]} " == *EndToEnd* ]] && ! tests/lab/lab path >/dev/null 2>&1; then
  # Hosts with kernels of their own, for NFS. The first time it takes some ten minutes, beside the steps that do not need them, and behind these.
  say "==> laboratory: begun"
  nice -n 19 timeout -k 10 "${LAB_MINUTES:-30}m" tests/lab/lab build >"$LOGS/laboratory.log" 2>&1 </dev/null &
  lab_build=$! lab_started=$SECONDS
fi

await_laboratory() {
  [ -n "$lab_build" ] || return 0
  say "==> laboratory"
  local code=0
  while kill -0 "$lab_build" 2>/dev/null; do
    say "    $(duration $((SECONDS - lab_started)))  $(tail -n 1 "$LOGS/laboratory.log" | cut -c1-110)"
    for _ in {1..30}; do if kill -0 "$lab_build" 2>/dev/null; then sleep 1; fi; done
  done
  wait "$lab_build" || code=$?
  lab_build=
  took laboratory $((SECONDS - lab_started))
  sed 's/^/    /' <(tail -n 3 "$LOGS/laboratory.log")
  ((code == 0)) && return 0
  VOLMAN_E2E_NO_LAB="The laboratory cannot be built: $( ((code == 124)) && say "it took more than ${LAB_MINUTES:-30} minutes" || tail -n 1 "$LOGS/laboratory.log")"
  export VOLMAN_E2E_NO_LAB
  say "    going on without it: its tests are skipped"
}

must "dotnet tool restore" dotnet tool restore
must "dotnet restore" dotnet restore
must "dotnet build" dotnet build --no-restore --configuration Release
step "dotnet format" dotnet format --verify-no-changes --no-restore || true
rm -rf artifacts/volman
# As packages have it: what users run is what is tested.
must "dotnet publish" dotnet publish src/VolumeManager --configuration Release -p:PublishProfile=Package --output artifacts/volman
step "pending model changes" pending_model_changes || true

export VOLMAN_BIN=$ROOT/artifacts/volman/volman
for project in "${projects[@]}"; do
  if [ "$project" = VolumeManager.EndToEnd ]; then await_laboratory; fi
  run_tests "$project"
  # The same tests once more, with a shared PostgreSQL as the catalog. Left out: what is about SQLite itself, and what uses PostgreSQL anyway.
  if [ "$project" = VolumeManager.Tests ]; then
    run_tests "$project" global '(Catalog!=sqlite)&(FullyQualifiedName!~Tests.Clusters)&(FullyQualifiedName!~Tests.Postgres)&(FullyQualifiedName!~Tests.Commands)&(FullyQualifiedName!~Tests.Linux)'
  fi
done
if ((matched == 0)); then
  say "no test ran"
  failed=$((failed + 1))
fi
