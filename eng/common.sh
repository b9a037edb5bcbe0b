# shellcheck shell=bash
# Sourced by the scripts beside it: messages, the .NET SDK, Debian's packages.

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
export ROOT

say() { printf '%s\n' "$*"; }
fail() {
  printf '%s: %s\n' "$(basename "$0")" "$*" >&2
  exit 1
}

# Seconds as a person says them: 48s, 3m07s.
duration() {
  if (($1 < 60)); then printf '%ds' "$1"; else printf '%dm%02ds' $(($1 / 60)) $(($1 % 60)); fi
}

# What the header of a script says, for --help: the comment after its first line, up to the first other line.
header_of() { sed -n '2,/^[^#]/{s/^# \{0,1\}//p}' "$1"; }

# The version of what is built here, from the one place where it stands.
version_of_tree() {
  local version
  version=$(sed -n 's:^ *<Version>\([^<]*\)</Version> *$:\1:p' "$ROOT/Directory.Build.props")
  [[ $version =~ ^[0-9]+\.[0-9]+\.[0-9]+(-[0-9A-Za-z.]+)?$ ]] || fail "Directory.Build.props must have one line <Version>MAJOR.MINOR.PATCH</Version>, and has '$version'"
  say "$version"
}

# is_program DIR ARCH VERSION: fails unless DIR holds what the publish profile Package makes, for that architecture.
is_program() {
  local machine
  [ -e "$1/libcoreclr.so" ] || fail "$1 is no volman that runs without .NET: make it with dotnet publish -p:PublishProfile=Package"
  # elf(5): the machine is in the bytes from 18 on.
  case $(od -An -tx1 -j18 -N2 "$1/volman") in
    *3e\ 00*) machine=amd64 ;;
    *b7\ 00*) machine=arm64 ;;
    *) machine=unknown ;;
  esac
  [ "$machine" = "$2" ] || fail "$1 is for $machine, not $2: publish it with --arch ${2/amd64/x64}"
  grep -qF "\"volman/$3\"" "$1/volman.deps.json" || fail "$1 is not volman $3: publish it again"
}

# run LOG COMMAND...: waits for the command with its output in LOG and says every half minute how far it is.
current='' # the process that is waited for
run() {
  local log=$1 started=$SECONDS said=$SECONDS code=0
  shift
  "$@" >"$log" 2>&1 </dev/null &
  current=$!
  while kill -0 "$current" 2>/dev/null; do
    sleep 0.2
    if ((SECONDS - said >= 30)); then
      said=$SECONDS
      say "    … $(duration $((SECONDS - started))): $(progress_in "$log")"
    fi
  done
  wait "$current" || code=$?
  current=''
  return $code
}
progress_in() { tail -n 1 "$1" | sed 's/^ *//' | cut -c1-110; }

# marked_processes NAME=VALUE: the ids of the processes with that in their environment, but for this script's own.
marked_processes() {
  local file pid
  for file in /proc/[0-9]*/environ; do
    pid=${file#/proc/} pid=${pid%/environ}
    if [ "$pid" != $$ ] && [ "$pid" != "$BASHPID" ] && grep -qzxF "$1" "$file" 2>/dev/null; then say "$pid"; fi
  done
}

require_root() {
  [ "$(id -u)" -eq 0 ] || fail "mounts and engines need root: run it as root (sudo $0)"
}

# Finds the SDK, tells programs built here where it is, and keeps builds from leaving servers behind.
use_dotnet() {
  command -v dotnet >/dev/null || fail "the .NET 10 SDK is missing: install it from https://dot.net and put dotnet on the PATH"
  DOTNET_ROOT=$(dirname "$(readlink -f "$(command -v dotnet)")")
  export DOTNET_ROOT
  export DOTNET_NOLOGO=1 DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_GENERATE_ASPNET_CERTIFICATE=false DOTNET_CLI_UI_LANGUAGE=en
  export DOTNET_CLI_USE_MSBUILD_SERVER=0 MSBUILDDISABLENODEREUSE=1 UseSharedCompilation=false MSBUILDTERMINALLOGGER=off
}

is_missing() {
  case $1 in
    postgres) ! command -v postgres >/dev/null && ! ls /usr/lib/postgresql/*/bin/postgres >/dev/null 2>&1 ;;
    libc6-dev) [ ! -e /usr/include/stdio.h ] ;;
    busybox-static) ! busybox true 2>/dev/null || ldd "$(command -v busybox)" >/dev/null 2>&1 ;;
    *) ! command -v "$1" >/dev/null ;;
  esac
}

package_of() {
  case $1 in
    docker | dockerd) say docker.io ;;
    containerd | containerd-shim-runc-v2) say containerd ;;
    ps) say procps ;;
    unshare | nsenter | findmnt | setsid | setpriv) say util-linux ;;
    ip) say iproute2 ;;
    nft) say nftables ;;
    xz) say xz-utils ;;
    mkfs.ext4) say e2fsprogs ;;
    mkfs.xfs) say xfsprogs ;;
    ssh | ssh-keygen) say openssh-client ;;
    dropbearkey) say dropbear-bin ;;
    systemd-nspawn) say systemd-container ;;
    postgres | psql) say postgresql ;;
    qemu-aarch64-static) say qemu-user-static ;;
    *) say "$1" ;;
  esac
}

# install_missing THING...: the Debian packages of those commands and libraries that are not there.
install_missing() {
  local thing packages=()
  for thing; do
    if is_missing "$thing"; then packages+=("$(package_of "$thing")"); fi
  done
  if ((${#packages[@]} == 0)); then
    say "nothing is missing"
    return
  fi
  mapfile -t packages < <(printf '%s\n' "${packages[@]}" | sort -u)
  say "installing ${packages[*]}"
  [ "$(id -u)" -eq 0 ] || fail "installing packages needs root"
  apt-get -q update || fail "apt-get update failed"
  apt_install "${packages[@]}" || fail "could not install ${packages[*]}"
  # From Debian 13 on, docker.io holds the engine only.
  if [[ " $* " == *" docker "* ]] && is_missing docker; then apt_install docker-cli; fi
  for thing; do
    if is_missing "$thing"; then fail "$thing is still missing after installing ${packages[*]}"; fi
  done
}

# Installing an engine must not start it: a policy-rc.d that says no stands there meanwhile, unless the machine has its own.
apt_install() (
  policy=/usr/sbin/policy-rc.d
  if [ ! -e $policy ]; then
    trap 'rm -f $policy' EXIT
    printf '#!/bin/sh\nexit 101\n' >$policy
    chmod 755 $policy
  fi
  DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends install "$@" </dev/null
)

# The mirror of this machine's own suite, else Debian's.
debian_mirror() {
  local codename mirror
  codename=$(. /etc/os-release && echo "${VERSION_CODENAME-}")
  # shellcheck disable=SC2016 # apt fills these in
  mirror=$(apt-get indextargets --format '$(RELEASE) $(COMPONENT) $(REPO_URI)' 'Created-By: Packages' 2>/dev/null |
    awk -v suite="$codename" '$1 == suite && $2 == "main" { print $3; exit }')
  say "${mirror:-http://deb.debian.org/debian}"
}

# How apt reaches it here: proxies and the like, for an apt of another root.
apt_access() { apt-config dump | grep -iE '^Acquire::(https?|Retries|ForceIPv[46])(::[^ ]+)? "..*";$' || true; }
