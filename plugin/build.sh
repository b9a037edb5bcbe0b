#!/usr/bin/env bash
# Makes the managed plugin: an image's root file system and plugin/config.json, by `docker plugin create`.
#
# usage: plugin/build.sh [--image IMAGE] [--program DIR] [--arch ARCH] [--name NAME] [--tag TAG] [--output DIR] [--push]
#   --image IMAGE  an image of volman that the engine has; if not given, eng/image.sh builds one
#   --program DIR  the published folder that eng/image.sh --program takes, for ARCH
#   --arch ARCH    amd64 or arm64, for which the image is to be built; the engine's own if not given
#   --name NAME    the plugin's name, with its registry if it is to be pushed; volman if not given
#   --tag TAG      its tag; VERSION-ARCH (0.1.0-amd64) if not given, for a tag of a plugin has one architecture.
#                  A plugin volman:latest serves as driver volman; one that is installed does with --alias volman
#   --output DIR   keeps what the plugin is made of: DIR/config.json and DIR/rootfs
#   --push         pushes the plugin to its registry
#
# Run it as root: a root file system has files of many owners. The engine is the one that docker talks to.
set -euo pipefail
# shellcheck source=eng/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/../eng/common.sh"

image='' program='' arch='' name=volman tag='' output='' push=false
while (($#)); do
  case $1 in
    --image | --program | --arch | --name | --tag | --output)
      [ -n "${2-}" ] || fail "$1 needs a value; see --help"
      declare "${1#--}=$2"
      shift
      ;;
    --push) push=true ;;
    -h | --help) header_of "$0" && exit 0 ;;
    *) fail "unknown option $1; see --help" ;;
  esac
  shift
done
[ -z "$image" ] || [ -z "$program" ] || fail "--image and --program exclude each other: the image has its program already"
require_root
docker version >/dev/null || fail "no Docker engine answers: start one, or name it with DOCKER_HOST"

work=$(mktemp -d)
container=''
clean_up() {
  if [ -n "$container" ]; then docker rm -f "$container" >/dev/null || true; fi
  rm -rf --one-file-system "$work"
}
trap clean_up EXIT
trap 'exit 130' INT TERM HUP

version=$(version_of_tree)
if [ -z "$image" ]; then
  here=$(docker version --format '{{.Server.Arch}}')
  "$ROOT/eng/image.sh" --platform "linux/${arch:=$here}" ${program:+--program "$program"}
  image=volman:$version
  if [ "$arch" != "$here" ]; then image+=-$arch; fi
fi
made_for=$(docker image inspect --format '{{.Architecture}}' "$image") || fail "the engine has no image $image: build it with eng/image.sh"
[ -z "$arch" ] || [ "$arch" = "$made_for" ] || fail "the image $image is for $made_for, not $arch: name another image, or none"
plugin=$name:${tag:-$version-$made_for}

say "==> root file system of $image"
folder=${output:-$work/plugin}
mkdir -p "$folder"
[ ! -e "$folder/rootfs" ] || fail "$folder/rootfs is there already: remove it, or name another --output"
mkdir "$folder/rootfs"
container=$(docker create "$image")
docker export "$container" | tar -x -C "$folder/rootfs" --numeric-owner --exclude 'dev/*' --exclude .dockerenv
# Where the engine mounts what config.json names.
mkdir -p "$folder/rootfs/volman/mnt" "$folder/rootfs/volman/volumes" "$folder/rootfs/var/lib/volman" "$folder/rootfs/run/docker/plugins"
cp "$ROOT/plugin/config.json" "$folder/config.json"
say "    $(du -sxB1 --apparent-size "$folder/rootfs" | awk '{ printf "%.1f MB", $1 / 1000000 }')"

say "==> plugin $plugin"
docker plugin create "$plugin" "$folder" >/dev/null
if $push; then
  docker plugin push "$plugin"
  say "    install it with: mkdir -p /var/lib/volman/volumes && docker plugin install --alias volman $plugin"
else
  say "    start it with: mkdir -p /var/lib/volman/volumes && docker plugin enable $plugin"
fi
