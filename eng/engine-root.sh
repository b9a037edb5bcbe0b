#!/usr/bin/env bash
# Makes a root file system with Docker 28.5, from Debian's suite forky: the newer engine of the end-to-end tests.
#
# usage: eng/engine-root.sh [DIR]
#   DIR  where it shall be; ${XDG_CACHE_HOME:-~/.cache}/volman/engine-28 if not given
#
# Made once: a finished DIR is left as it is; remove it to make it anew. Tests find it by
# VOLMAN_E2E_ENGINE_ROOT_28. It holds what `volman` needs to run inside, but for .NET itself.
# Debian's packages come from the mirror, and through the proxies, that apt uses on this machine.
set -euo pipefail
# shellcheck source=eng/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

case ${1-} in
  -h | --help) header_of "$0" && exit 0 ;;
  -*) fail "unknown option $1; see --help" ;;
esac
dir=${1:-${XDG_CACHE_HOME:-$HOME/.cache}/volman/engine-28}
suite=forky
contents=docker.io,docker-cli,docker-compose,iptables,busybox-static,ca-certificates,procps,libstdc++6,libssl3t64,tzdata

engine_in() { say "$(chroot "$1" dockerd --version | sed 's/,.*//'), $(du -shx "$1" | cut -f1), in $1"; }

if [ -e "$dir/usr/sbin/dockerd" ]; then
  engine_in "$dir"
  exit 0
fi
require_root
install_missing mmdebstrap
mkdir -p "$(dirname "$dir")"
exec 9>"$dir.lock" # two runs at once: the second waits and finds it made
flock 9
if [ -e "$dir/usr/sbin/dockerd" ]; then
  engine_in "$dir"
  exit 0
fi

mirror=$(debian_mirror)

# No file of a package that nobody reads in a test engine.
options=$(mktemp)
trap 'rm -rf --one-file-system "$options" "$dir.partial"' EXIT
trap 'exit 130' INT TERM HUP
apt_access >"$options"
rm -rf --one-file-system "$dir.partial"

say "making $suite from $mirror in $dir (some 100 MB to fetch)"
mmdebstrap --quiet --variant=minbase --include="$contents" \
  --aptopt='Acquire::Check-Valid-Until "false"' --aptopt="$options" \
  --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
  "$suite" "$dir.partial" "$mirror" ||
  fail "no $suite from $mirror: see above what mmdebstrap said"
mv "$dir.partial" "$dir"
engine_in "$dir"
