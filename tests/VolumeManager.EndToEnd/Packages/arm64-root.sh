#!/usr/bin/env bash
# Makes a folder with the libraries of Debian 12 for arm64 that the package depends on, for qemu-aarch64-static -L. It is
# kept in ${XDG_CACHE_HOME:-~/.cache}/volman.
#
# usage: arm64-root.sh
#
# The last line is where it is. Packages are only unpacked: nothing of them runs.
set -euo pipefail
# shellcheck source=eng/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/../../../eng/common.sh"

# The field of the package itself: a library that is missing there is missing here.
contents=$(sed -n 's/^Depends: //p' "$ROOT/eng/debian/control.in" | tr ',' '\n' | sed -n 's/^ *\(lib[^ ]*\).*/\1/p' | sort | paste -sd ,)
folder=${XDG_CACHE_HOME:-$HOME/.cache}/volman/debian-12-arm64-$(printf %s "$contents" | sha256sum | cut -c1-12)
mkdir -p "$(dirname "$folder")"
exec 9>"$folder.lock" # two runs at once: the second waits and finds it made
flock 9
if [ ! -e "$folder" ]; then
  options=$(mktemp)
  trap 'rm -rf --one-file-system "$options" "$folder.partial"' EXIT
  trap 'exit 130' INT TERM HUP
  apt_access >"$options"
  rm -rf --one-file-system "$folder.partial"
  mmdebstrap --quiet --variant=extract --architectures=arm64 --include="$contents" \
    --aptopt='Acquire::Check-Valid-Until "false"' --aptopt="$options" bookworm "$folder.partial" "$(debian_mirror)"
  mv "$folder.partial" "$folder"
fi
say "$folder"
