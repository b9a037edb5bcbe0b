#!/usr/bin/env bash
# Makes the root file system of a Debian 12 machine with systemd and an engine, in which the package is tested.
#
# usage: eng/debian/root.sh [DIR]
#   DIR  where it shall be; ${XDG_CACHE_HOME:-~/.cache}/volman/debian-12-HASH if not given, HASH being that of its contents
#
# Made once: a finished DIR is left as it is; remove it to make it again. The last line is where it is.
set -euo pipefail
# shellcheck source=eng/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/../common.sh"

case ${1-} in
  -h | --help) header_of "$0" && exit 0 ;;
  -*) fail "unknown option $1; see --help" ;;
esac
contents=systemd,systemd-sysv,dbus,docker.io,iptables,busybox-static,procps,curl,ca-certificates,libssl3,libstdc++6,groff,man-db,bash-completion,zsh,fish
dir=${1:-${XDG_CACHE_HOME:-$HOME/.cache}/volman/debian-12-$(printf %s "$contents" | sha256sum | cut -c1-12)}

require_root
mkdir -p "$(dirname "$dir")"
exec 9>"$dir.lock" # two runs at once: the second waits and finds it made
flock 9
if [ ! -e "$dir/usr/sbin/dockerd" ]; then
  install_missing mmdebstrap
  mirror=$(debian_mirror)
  options=$(mktemp)
  trap 'rm -rf --one-file-system "$options" "$dir.partial"' EXIT
  trap 'exit 130' INT TERM HUP
  apt_access >"$options"
  rm -rf --one-file-system "$dir.partial"
  say "making bookworm from $mirror in $dir (some 150 MB to fetch)"
  mmdebstrap --quiet --variant=minbase --include="$contents" \
    --aptopt='Acquire::Check-Valid-Until "false"' --aptopt="$options" \
    --dpkgopt='path-exclude=/usr/share/locale/*' \
    bookworm "$dir.partial" "$mirror" ||
    fail "no bookworm from $mirror: see above what mmdebstrap said"
  mv "$dir.partial" "$dir"
fi
say "$dir"
