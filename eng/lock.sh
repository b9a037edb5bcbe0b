#!/usr/bin/env bash
# Writes packages.lock.json of every project again, after a change of a package's version.
#
# usage: eng/lock.sh
#
# Ordinary restores only read these files; what makes a release restores in locked mode and fails when they do not
# match (docs/decisions/0002).
set -euo pipefail
# shellcheck source=eng/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

case ${1-} in
  '') ;;
  -h | --help) header_of "$0" && exit 0 ;;
  *) fail "unknown argument $1; see --help" ;;
esac
cd "$ROOT"
use_dotnet
dotnet restore --force-evaluate
for runtime in linux-x64 linux-arm64; do
  dotnet restore src/VolumeManager -p:PublishProfile=Package -p:RuntimeIdentifier=$runtime --force-evaluate
done
git status --short -- '*.lock.json'
