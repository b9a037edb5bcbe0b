#!/usr/bin/env bash
# Makes the root of volman's image without an engine: Debian with the packages that the Dockerfile installs, and a
# published folder. What is Debian's is kept in ~/.cache/volman.
#
# usage: plugin-image.sh FOLDER TAR
#   FOLDER  what `dotnet publish -p:PublishProfile=Package` made
#   TAR     the file to be made, for `docker import`
set -euo pipefail
# shellcheck source=eng/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/../../../eng/common.sh"

folder=$1 tar=$2
suite=$(sed -n '/^FROM debian:/{s/^FROM debian:\([a-z]*\)-slim.*/\1/p;q}' "$ROOT/Dockerfile")
contents=$(sed -n '/apt-get install/{s/.*--no-install-recommends \(.*[^ \\]\) *\\*$/\1/p;q}' "$ROOT/Dockerfile" | tr ' ' ,)
if [ -z "$suite" ] || [ -z "$contents" ]; then fail "the Dockerfile names no Debian suite or no packages"; fi
base=${XDG_CACHE_HOME:-$HOME/.cache}/volman/plugin-base-$suite-$(printf %s "$contents" | sha256sum | cut -c1-12).tar
mkdir -p "$(dirname "$base")"
exec 9>"$base.lock" # two runs at once: the second waits and finds it made
flock 9
if [ ! -e "$base" ]; then
  options=$(mktemp)
  trap 'rm -f "$options" "$base.partial"' EXIT
  trap 'exit 130' INT TERM HUP
  apt_access >"$options"
  mmdebstrap --quiet --format=tar --variant=minbase --include="$contents" --aptopt="$options" \
    --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
    --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-include=/usr/share/doc/*/copyright' \
    "$suite" "$base.partial" "$(debian_mirror)"
  mv "$base.partial" "$base"
fi
cp "$base" "$tar"
tar -rf "$tar" --owner=0 --group=0 --transform 's,^\.,./opt/volman,' -C "$folder" .
