#!/usr/bin/env bash
# Builds volman as it was at a commit, once: the program is kept in ${XDG_CACHE_HOME:-~/.cache}/volman.
#
# usage: release-before.sh COMMIT
#
# The last line is the path of the program. Only what the program is made of is built, without analysis or documentation.
set -euo pipefail
# shellcheck source=eng/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/../../../eng/common.sh"

commit=${1:?the whole name of a commit}
folder=${XDG_CACHE_HOME:-$HOME/.cache}/volman/release-$commit
mkdir -p "$(dirname "$folder")"
exec 9>"$folder.lock" # two runs at once: the second waits and finds it made
flock 9
if [ ! -e "$folder" ]; then
  use_dotnet
  work=$(mktemp -d)
  trap 'rm -rf "$work" "$folder.partial"' EXIT
  trap 'exit 130' INT TERM HUP
  rm -rf "$folder.partial"
  git -C "$ROOT" archive "$commit" | tar -x -C "$work"
  (cd "$work" && dotnet publish src/VolumeManager --configuration Release -p:RunAnalyzers=false -p:GenerateDocumentationFile=false --output "$folder.partial")
  mv "$folder.partial" "$folder"
fi
# Programs of earlier releases, which no test has used for two weeks.
touch "$folder"
find "$(dirname "$folder")" -maxdepth 1 -name 'release-*' -mtime +14 ! -path "$folder*" -exec rm -rf {} +
say "$folder/volman"
