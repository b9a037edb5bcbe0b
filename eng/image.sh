#!/usr/bin/env bash
# Builds the image volman:VERSION, and tags it volman:latest.
#
# usage: eng/image.sh [--platform OS/ARCH] [--program DIR] [BUILD-OPTION...]
#   --platform OS/ARCH  linux/amd64 or linux/arm64; that of the engine if not given. With linux/arm64 on another
#                       machine the tags end in -arm64, and its engine needs Debian's qemu-user-static
#   --program DIR       the folder that `dotnet publish src/VolumeManager -c Release -p:PublishProfile=Package -o DIR` has
#                       made for ARCH; if not given, the Dockerfile publishes by itself, with exactly the locked packages
#   BUILD-OPTION        handed on to docker build: --no-cache, --network=host, --pull, ...
#
# Needs an engine with BuildKit: Docker 23 or later with its buildx, or 20.10. The version is that of
# Directory.Build.props, the revision git's; `-dirty` behind it says that files differ from that revision.
set -euo pipefail
# shellcheck source=eng/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

options=() platform='' program=''
while (($#)); do
  case $1 in
    --platform | --program)
      [ -n "${2-}" ] || fail "$1 needs a value; see --help"
      declare "${1#--}=$2"
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

version=$(version_of_tree)
revision=$(git -C "$ROOT" describe --always --abbrev=40 --dirty --exclude='*' 2>/dev/null) || revision=unknown
# The image's own date, for builders that know the variable: one revision, one date.
SOURCE_DATE_EPOCH=$(git -C "$ROOT" log -1 --format=%ct 2>/dev/null || say 0)
export SOURCE_DATE_EPOCH

context=$ROOT
if [ -n "$program" ]; then
  is_program "$program" "${platform#*/}" "$version"
  context=$(mktemp -d "${TMPDIR:-/tmp}/volman-image.XXXXXX")
  trap 'rm -rf "$context"' EXIT
  trap 'exit 130' INT TERM HUP
  cp -R "$program" "$context/volman"
  find "$context/volman" -type f ! -name volman -exec chmod 644 {} +
  options+=(--build-arg PROGRAM=published --file "$ROOT/Dockerfile")
fi

DOCKER_BUILDKIT=1 docker build --platform "$platform" --build-arg "VERSION=$version" --build-arg "REVISION=$revision" \
  --tag "volman:$version$suffix" --tag "volman:latest$suffix" ${options[@]+"${options[@]}"} "$context"
size=$(docker image inspect --format '{{.Size}}' "volman:$version$suffix")
say "volman:$version$suffix and volman:latest$suffix, revision $revision, $platform, $(awk "BEGIN { printf \"%.1f\", $size / 1e6 }") MB"
