#!/usr/bin/env bash
# Sets up everything and runs the checks and tests of Volume Manager.
#
# usage: eng/test.sh [--fast | --full | --unit] [--filter EXPR] [--schedules N] [--serial]
#   --fast         what to run before a commit: build, checks, the unit tests on SQLite and on PostgreSQL,
#                  and the call sequences of one real engine
#   (no option)    what every submission must pass: also every end-to-end test on at least one engine, the
#                  laboratory, packages, plugin, image, rolling upgrade, and 60 random schedules
#   --full         also both engines everywhere, reproducible builds, arm64, compose, the laboratory's kernel
#                  from its source, 1,000 schedules, and the program's own time constants
#   --unit         only tests/VolumeManager.Tests: no engine, no container
#   --filter EXPR  only the tests that `dotnet test --filter EXPR` picks
#   --schedules N  how many random schedules the cluster simulation runs, and how many random sequences the model
#                  of one host; with --filter 'FullyQualifiedName~ClusterSimulation|FullyQualifiedName~MountModel'
#                  nothing else. VOLMAN_TEST_SEED replays the schedule whose seed a failure of the simulation printed
#   --serial       one step and one test at a time, to investigate a failure
#
# Run it as root on Debian with the .NET 10 SDK. It installs what else is missing.
# Full logs are in artifacts/test-logs. The last line is `N passed, N failed, N skipped`; a step that fails (build,
# format, ...) counts as one failure, and so does a skipped test that eng/allowed-skips does not list.
# TEST_MINUTES (85; 360 with --full; and one for every five schedules asked for) is the time after which the run stops.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=eng/common.sh
. eng/common.sh

tier=default filter='' schedules=0 serial=
while (($#)); do
  case $1 in
    --fast | --full | --unit)
      [ $tier = default ] || fail "--$tier and $1 exclude each other"
      tier=${1#--}
      ;;
    --filter)
      filter=${2-}
      [ -n "$filter" ] || fail "--filter needs an expression, for example FullyQualifiedName~Mount"
      shift
      ;;
    --schedules)
      schedules=${2-}
      [[ $schedules =~ ^[1-9][0-9]{0,6}$ ]] || fail "--schedules needs a number, for example 1000"
      shift
      ;;
    --serial) serial=yes ;;
    -h | --help) header_of "$0" && exit 0 ;;
    *) fail "unknown option $1; see --help" ;;
  esac
  shift
done
if [ $tier = full ]; then
  if ((schedules == 0)); then schedules=1000; fi
  export VOLMAN_TEST_TIMINGS=real
fi
if ((schedules > 0)); then export VOLMAN_TEST_SEQUENCES=$schedules; fi
: "${TEST_MINUTES:=$(($([ $tier = full ] && echo 360 || echo 85) + schedules / 5))}"

export HOME="${HOME:-/root}"
LOGS=$ROOT/artifacts/test-logs
rm -rf "$LOGS"
mkdir -p "$LOGS"

passed=0 failed=0 skipped=0 matched=0
times=()
export ENG_TEST_RUN="$$-$RANDOM" # every process of this run carries it in its environment

# However the run ends, nothing is left behind and the closing line is printed.
finish() {
  local code=$? name
  trap - EXIT INT TERM HUP
  for name in "${!process[@]}"; do
    kill -TERM "${process[$name]}" 2>/dev/null || true
    failed=$((failed + 1))
    say "$name: stopped before its end"
  done
  if ((code != 0 && failed == 0)); then failed=1; fi
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
  say "stopping what the tests left running:"
  ps -o pid=,args= -p "$(IFS=, && echo "${left[*]}")" | cut -c1-140 || true
  kill -KILL "${left[@]}" 2>/dev/null || true
}

# Steps run beside each other: `begin` starts one with its own log, `await` waits for it and reports.
declare -A process=() began=()
said=0

log_of() { say "$LOGS/${1//[^a-zA-Z0-9.]/-}.log"; }

begin() { # begin NAME COMMAND...
  local name=$1
  shift
  say "==> $name"
  began[$name]=$SECONDS
  (
    code=0
    "$@" || code=$?
    say "$SECONDS $code" >"$(log_of "$name").end"
  ) >"$(log_of "$name")" 2>&1 </dev/null &
  process[$name]=$!
  [ -z "$serial" ] || settle "$name"
}

# Waits until a step is over, and twice a minute says how far all that are running have come.
settle() {
  while kill -0 "${process[$1]}" 2>/dev/null; do
    sleep 0.2
    if ((SECONDS - said >= 30)); then
      said=$SECONDS
      say "    … $(duration $SECONDS): $(progress)"
    fi
  done
}

progress() {
  local name tests line=''
  for name in "${!process[@]}"; do
    kill -0 "${process[$name]}" 2>/dev/null || continue
    tests=$(grep -cE '^  (Passed|Failed|Skipped) ' "$(log_of "$name")" || true)
    line+="${line:+; }$name"
    if ((tests > 0)); then line+=" $tests tests done"; fi
  done
  say "$line"
}

# Waits for a step and sets code, its exit code, and took, its seconds. It may have ended so long ago that bash has
# forgotten its exit code: the step itself has written it down, unless it was killed.
conclude() { # conclude NAME
  local name=$1 end=$SECONDS
  code=137
  settle "$name"
  unset "process[$name]"
  read -r end code 2>/dev/null <"$(log_of "$name").end" || true
  took=$((end - began[$name]))
  times+=("$(printf '%-34s %s' "$name" "$(duration $took)")")
}

await() { # await NAME: reports the step's end; fails if it failed
  local name=$1 code took
  conclude "$name"
  if ((code == 0)); then
    say "    $name: done in $(duration $took)"
    return 0
  fi
  failed=$((failed + 1))
  say "    $name: FAILED (exit code $code), the end of $(log_of "$name"):"
  tail -n 40 "$(log_of "$name")" | sed 's/^/    /'
  return 1
}

must() { # must NAME COMMAND...: nothing after it makes sense without it
  begin "$@"
  await "$1" || exit 1
}

# From a running log, what a reader wants at once: each failure with its message, each skip with its reason.
watch_tests() { # watch_tests NAME
  awk -v name="$1" '
    /^\[xUnit\.net .*\[SKIP\]$/ { sub(/^\[[^]]*\] */, ""); sub(/ \[SKIP\]$/, ""); skip = $0; next }
    skip != ""                  { sub(/^\[[^]]*\] */, ""); print "    " name ": skipped: " skip ": " $0; fflush(); skip = ""; next }
    /^  Failed /                { left = 40; print "    " name ":" }
    /^  (Passed|Skipped) |^\[xUnit\.net|^Total tests:|^Test Run|^The active test run/ { left = 0 }
    /^--- End of stack trace/   { next }
    left > 0                    { print "    " (--left > 0 ? substr($0, 1, 400) : "… (the rest is in the log)"); fflush() }'
}

counter() { # counter NAME TRX
  sed -n 's/.*<Counters .*\b'"$1"'="\([0-9]*\)".*/\1/p' "$2" | head -n 1
}

# Starts a test project. What is already known to be wrong is shown while it runs.
begin_tests() { # begin_tests NAME PROJECT SCOPE FILTER
  local name=$1 project=$2 scope=$3 which=$filter trx log
  log=$(log_of "$name") trx=$(basename "${log%.log}").trx
  if [ -n "$4" ]; then which="${filter:+($filter)&}$4"; fi
  local minutes=$((TEST_MINUTES - SECONDS / 60))
  local options=(--no-build --configuration Release --results-directory "$LOGS" --logger "trx;LogFileName=$trx"
    --logger "console;verbosity=normal" --blame-hang-timeout "$((20 + schedules / 5))m" --blame-hang-dump-type none)
  if [ -n "$which" ]; then options+=(--filter "$which"); fi
  if [ -n "$serial" ]; then
    options+=(-- xUnit.ParallelizeTestCollections=false xUnit.MaxParallelThreads=1)
  fi
  : >"$log"
  tail -n +1 -f --pid=$$ "$log" 2>/dev/null > >(watch_tests "$name") &
  watcher[$name]=$!
  begin "$name" env VOLMAN_TEST_SCOPE="$scope" timeout -k 30 $((minutes > 1 ? minutes : 1))m dotnet test "tests/$project" "${options[@]}"
}
declare -A watcher=()

# Waits for a test project and counts. A skip that is not allowed is a failure.
await_tests() { # await_tests NAME
  local name=$1 code took total=0 good=0 bad=0 log trx others broken=''
  log=$(log_of "$name") trx=${log%.log}.trx
  conclude "$name"
  sleep 1.2 # tail looks once a second
  kill "${watcher[$name]}" 2>/dev/null || true
  wait "${watcher[$name]}" 2>/dev/null || true
  if [ -f "$trx" ]; then
    total=$(counter total "$trx") good=$(counter passed "$trx") bad=$(counter failed "$trx")
    total=${total:-0} good=${good:-0} bad=${bad:-0}
  fi
  others=$((total - good - bad))
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
    say "    $name: FAILED: $broken; the end of $log:"
    tail -n 15 "$log" | cut -c1-400 | sed 's/^/    /'
  fi
  local surprises=()
  mapfile -t surprises < <(unlisted_skips "$trx")
  if ((${#surprises[@]})); then
    bad=$((bad + ${#surprises[@]})) others=$((others - ${#surprises[@]}))
    say "    $name: FAILED: skipped, and eng/allowed-skips does not list them:"
    printf '      %s\n' "${surprises[@]}"
  fi
  passed=$((passed + good)) failed=$((failed + bad)) skipped=$((skipped + others))
  say "    $name: $good passed, $bad failed, $others skipped in $(duration $took)"
}

# The skipped tests of a run whose names no line of eng/allowed-skips begins with.
unlisted_skips() { # unlisted_skips TRX
  [ -f "$1" ] || return 0
  { grep -o '<UnitTestResult [^>]*outcome="NotExecuted"[^>]*>' "$1" || true; } | sed 's/.* testName="\([^"]*\)".*/\1/' | sort |
    awk 'NR == FNR { if ($1 !~ /^#/ && NF) allowed[$1]; next } { for (name in allowed) if (index($0, name) == 1) next; print }' eng/allowed-skips -
}

pending_model_changes() {
  local project
  for project in migrations/*/; do
    (cd "$project" && dotnet ef migrations has-pending-model-changes --no-build --configuration Release) || return 1
  done
}

restore() { dotnet tool restore && dotnet restore; }

# As packages have it: what users run is what is tested.
publish() {
  rm -rf artifacts/volman
  dotnet publish src/VolumeManager --configuration Release -p:PublishProfile=Package --output artifacts/volman
}

use_dotnet
# Idle threads of many processes must not spin on two cores.
export DOTNET_ThreadPool_UnfairSemaphoreSpinLimit=0
export DEBIAN_FRONTEND=noninteractive VOLMAN_BIN=$ROOT/artifacts/volman/volman
engine28=${VOLMAN_E2E_ENGINE_ROOT_28:-${XDG_CACHE_HOME:-$HOME/.cache}/volman/engine-28}
export VOLMAN_E2E_ENGINE_ROOT_28=$engine28

must "Debian packages" install_missing docker dockerd containerd containerd-shim-runc-v2 runc iptables busybox-static \
  sqlite3 mmdebstrap gcc ps git slirp4netns unshare nsenter setpriv ip postgres psql faketime mkfs.ext4 mkfs.xfs curl docker-registry \
  systemd-nspawn lintian $([ $tier != full ] || say qemu-aarch64-static)

# What runs with either engine takes one in this commit's run, and the other one in the next commit's.
if [ $tier != full ]; then
  VOLMAN_E2E_ALTERNATE=$([ $(($(git rev-list --count HEAD) % 2)) = 0 ] && echo Installed || echo Docker28)
  export VOLMAN_E2E_ALTERNATE
fi
if [ $tier != unit ]; then begin "Docker 28.5" eng/engine-root.sh "$engine28"; fi
# Hosts with kernels of their own, for NFS.
if [ $tier = default ] || [ $tier = full ]; then begin laboratory tests/lab/lab build; fi

must "restore" restore
must "build" dotnet build --no-restore --configuration Release
if [ $tier != unit ]; then must "publish" publish; else unset VOLMAN_BIN; fi

# One test project at a time, each with several tests at a time. Two projects beside each other overload two cores so
# much that time limits of the real engines and databases pass.
begin "pending model changes" pending_model_changes
await "pending model changes" || true
# The build enforces formatting and style; this looks at the ends of lines and files as well, without compiling once more.
begin "format" dotnet format whitespace . --folder --verify-no-changes
await "format" || true
begin_tests "unit tests, SQLite" VolumeManager.Tests '' ''
await_tests "unit tests, SQLite"
# The same tests once more, with a shared PostgreSQL as the catalog. The trait Catalog marks what would prove nothing new.
begin_tests "unit tests, PostgreSQL" VolumeManager.Tests global 'Catalog!=sqlite&Catalog!=postgres&Catalog!=any&Catalog!=none'
await_tests "unit tests, PostgreSQL"
if [ $tier != unit ]; then
  await "Docker 28.5" || exit 1
  if [ $tier != fast ]; then await laboratory || exit 1; fi
  case $tier in
    fast) begin_tests "end to end" VolumeManager.EndToEnd '' '(Tier!=full)&(FullyQualifiedName~CallSequences|FullyQualifiedName~EndToEnd.Volumes)' ;;
    full) begin_tests "end to end" VolumeManager.EndToEnd '' '' ;;
    *) begin_tests "end to end" VolumeManager.EndToEnd '' 'Tier!=full' ;;
  esac
  await_tests "end to end"
fi
if [ $tier = full ]; then
  begin "kernel from source" tests/lab/lab check-kernel
  await "kernel from source" || true
fi
if ((matched == 0)); then
  say "no test ran"
  failed=$((failed + 1))
fi
