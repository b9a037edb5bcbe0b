#!/usr/bin/env bash
# Builds the image volman:VERSION, and tags it volman:latest.
#
# usage: eng/image.sh [--platform OS/ARCH] [BUILD-OPTION...]
#   --platform OS/ARCH  linux/amd64 or linux/arm64; that of the engine if not given. With linux/arm64 on another
#                       machine the tags end in -arm64, and its engine needs Debian's qemu-user-static
#   BUILD-OPTION        handed on to docker build: --no-cache, --network=host, --pull, ...
#
# Needs an engine with BuildKit: Docker 23 or later with its buildx, or 20.10. The version is that of
# Directory.Build.props, the revision git's; `-dirty` behind it says that files differ from that revision.
set -euo pipefail
# shellcheck source=eng/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

options=() platform=''
while (($#)); do
  case $1 in
    --platform)
      platform=${2-}
      shift
      ;;
    --platform=*) platform=${1#*=} ;;
    -h | --help) header_of "$0" && exit 0 ;;
    -*) options+=("$1") ;;
    *) fail "unknown argument $1; see --help" ;;
  esac
  shift
done
command -v docker >/dev/null || fail "there is no docker here: install Docker's command line"
engine=$(docker version --format '{{.Server.Os}}/{{.Server.Arch}}') || fail "no engine answers: start Docker, or set DOCKER_HOST"
case ${platform:=$engine} in
  linux/amd64 | linux/arm64) ;;
  *) fail "the platform is linux/amd64 or linux/arm64, not $platform" ;;
esac
suffix=''
if [ "$platform" != "$engine" ]; then suffix=-${platform#*/}; fi

version=$(sed -n 's:.*<Version>\(.*\)</Version>.*:\1:p' "$ROOT/Directory.Build.props")
revision=$(git -C "$ROOT" describe --always --abbrev=40 --dirty --exclude='*' 2>/dev/null) || revision=unknown
# The image's own date, for builders that know the variable: one revision, one date.
SOURCE_DATE_EPOCH=$(git -C "$ROOT" log -1 --format=%ct 2>/dev/null || say 0)
export SOURCE_DATE_EPOCH

DOCKER_BUILDKIT=1 docker build --platform "$platform" --build-arg "VERSION=$version" --build-arg "REVISION=$revision" \
  --tag "volman:$version$suffix" --tag "volman:latest$suffix" ${options[@]+"${options[@]}"} "$ROOT"
size=$(docker image inspect --format '{{.Size}}' "volman:$version$suffix")
say "volman:$version$suffix and volman:latest$suffix, revision $revision, $platform, $(awk "BEGIN { printf \"%.1f\", $size / 1e6 }") MB"
