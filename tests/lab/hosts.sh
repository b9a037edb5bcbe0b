# shellcheck shell=bash disable=SC2154
# Sourced by lab: a host's power, and ssh to it.

number_of() {
  [[ $1 =~ ^h[0-9]$ ]] || fail "there is no host $1: h0 to h9"
  say "${1#h}"
}

running_hosts() {
  local folder
  for folder in "$LAB_STATE"/h[0-9]; do
    if [ -d "$folder" ]; then say "${folder##*/}"; fi
  done
}

# The kernel's process; fails when the host is off.
process_of() {
  local pid
  pid=$(cat "$LAB_STATE/$1/pid" 2>/dev/null) && grep -qazxF "umid=$1" "/proc/$pid/cmdline" 2>/dev/null && say "$pid"
}

# ssh_to hN ARGUMENT...: one connection is kept open for all of them.
ssh_to() {
  local host=$1
  shift
  within ssh -F none -i "$LAB_CACHE/key" -o BatchMode=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR \
    -o ConnectTimeout=3 -o ServerAliveInterval=5 -o ControlMaster=auto -o ControlPersist=yes -o "ControlPath=$LAB_STATE/$host/ssh" \
    "root@$control.1$(number_of "$host")" "$@"
}

boot() {
  local host=$1 number folder=$LAB_STATE/$1
  number=$(number_of "$host")
  if process_of "$host" >/dev/null; then return 0; fi
  mkdir -p "$folder"
  rm -f "$folder/ssh" "$folder/console"
  [ -f "$folder/disk" ] || cp --sparse=always "$disk" "$folder/disk"
  plug_in "$number"
  # setsid: power-off has to reach the kernel and the processes it runs, all at once.
  # taskset: a system call hands over between two processes, and waking another processor takes 2-3 times as long.
  TMPDIR=$LAB_RAM setsid taskset -c $((number % $(nproc))) ip netns exec "$namespace" "$kernel" \
    umid="$host" uml_dir="$LAB_STATE/uml/" mem="${LAB_MEMORY}M" seccomp=on loglevel=5 panic=-1 \
    ubd0r="$image" ubd1="$folder/disk" root=/dev/ubda ro init=/lab/init con=null con0=null,fd:1 \
    "vec0:transport=tap,ifname=d$number,depth=128,gro=1,mac=52:54:00:77:00:1$number" \
    "vec1:transport=tap,ifname=c$number,depth=128,gro=1,mac=52:54:00:78:00:1$number" \
    lab_host="$host" lab_net="$net" lab_net6="$net6" lab_control="$control" </dev/null >"$folder/console" 2>&1 &
  say $! >"$folder/pid"
}

wait_up() {
  local host=$1 console=$LAB_STATE/$1/console tries
  for ((tries = 0; tries < 300; tries++)); do
    if grep -qsa '^LAB-UP' "$console" && ssh_to "$host" true 2>/dev/null </dev/null; then return 0; fi
    sleep 0.1
    if ((tries > 20)) && ! process_of "$host" >/dev/null; then break; fi
  done
  tail -n 20 "$console" >&2
  fail "$host does not come up; its console is above"
}

# As when the plug is pulled: what was not written is lost, the disk stays.
power_off() {
  local host=$1 pid tries
  if pid=$(process_of "$host"); then
    kill -KILL -- "-$pid" 2>/dev/null || true
    # One that still exits may hold the network device.
    for ((tries = 0; tries < 200; tries++)); do
      ps -e -o pgid=,stat= | awk -v group="$pid" '$1 == group && $2 !~ /^Z/ { found = 1 } END { exit found }' && break
      sleep 0.05
    done
  fi
  ssh_to "$host" -O exit >/dev/null 2>&1 || true
  rm -rf "$LAB_STATE/$host/ssh" "$LAB_STATE/$host/pid" "$LAB_STATE/uml/$host"
}

# A host that hangs. Only the kernel's own process: what it runs waits for it.
freeze() { kill -STOP "$(process_of "$1")"; }
thaw() { kill -CONT "$(process_of "$1")"; }

# Copies PATH to hN:FOLDER.
copy_to() {
  local path=$1 host=${2%%:*} folder=${2#*:}
  tar -C "$(dirname "$path")" -cf - "$(basename "$path")" | ssh_to "$host" -- "mkdir -p '$folder' && tar -C '$folder' -xf -"
}
