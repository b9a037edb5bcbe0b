#!/usr/bin/env bash
# Makes all that a release is of, in artifacts/release.
#
# usage: eng/release.sh [--check] [--packages DIR] [--image]
#   --check         only looks whether a release can be made: the tree is clean, CHANGELOG.md tells of the version at
#                   its top, the version is new, and eng/previous-release is in the history
#   --packages DIR  takes the packages from DIR, as eng/package.sh has made them there, perhaps on machines of several
#                   architectures
#   --image         the image and the managed plugin too, with the engine that docker talks to
#
# volman_VERSION_ARCH.deb, .tar.gz  the packages (eng/package.sh)
# volman_VERSION_ARCH.cdx.json      what they are made of: a bill of materials, CycloneDX
# volman_VERSION_schema.sql         what `volman migrate` does to PostgreSQL, to be read, or run as often as wanted
# volman_VERSION_ARCH.image.tar.gz  the image, for `docker load` (eng/image.sh)
# volman_VERSION_ARCH.plugin.tar.gz for `docker plugin create` (plugin/build.sh)
# SHA256SUMS                        of all of them
#
# After it: git tag vVERSION and put vVERSION into eng/previous-release; then raise <Version> in Directory.Build.props
# and begin a section '## NEXT (unreleased)' in CHANGELOG.md.
set -euo pipefail
# shellcheck source=eng/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

only_check=false image=false from=''
while (($#)); do
  case $1 in
    --check) only_check=true ;;
    --image) image=true ;;
    --packages)
      [ -n "${2-}" ] || fail "--packages needs a directory; see --help"
      from=$(cd "$2" && pwd) || fail "there is no directory $2: make the packages with eng/package.sh --output $2"
      shift
      ;;
    -h | --help) header_of "$0" && exit 0 ;;
    *) fail "unknown option $1; see --help" ;;
  esac
  shift
done
cd "$ROOT"
version=$(version_of_tree)

# Each fault in a line; a release has none.
faults() {
  local before commit top version_before
  [ -z "$(git status --porcelain)" ] || say "the tree has changes that are not committed: commit them or put them aside"
  top=$(sed -n 's/^## //p' CHANGELOG.md | grep -vix unreleased | head -n 1 || true)
  if [ "${top%% *}" != "$version" ]; then
    say "the newest release in CHANGELOG.md is '$top' and the version is $version: write what is new under '## $version'"
  elif [[ ${top,,} == *unreleased* ]]; then
    say "CHANGELOG.md calls $version unreleased: write the date instead"
  elif ! sed "1,/^## $version/d; /^## /,\$d" CHANGELOG.md | grep -q '^- '; then
    say "CHANGELOG.md says nothing under '## $version': write what is new"
  fi
  if git rev-parse --quiet --verify "refs/tags/v$version" >/dev/null; then say "the tag v$version is taken: raise <Version> in Directory.Build.props"; fi
  before=$(grep -v '^#' eng/previous-release)
  if ! commit=$(git rev-parse --quiet --verify "$before^{commit}"); then
    say "the previous release, $before of eng/previous-release, is not in the history: git fetch --tags, and --unshallow if it was cut off"
  elif ! git merge-base --is-ancestor "$commit" HEAD; then
    say "the previous release, $before of eng/previous-release, is no ancestor of what is checked out: name the one that is"
  else
    version_before=$(git show "$commit:Directory.Build.props" | sed -n 's:^ *<Version>\([^<]*\)</Version> *$:\1:p')
    if [ "$version_before" = "$version" ] || [ "$(printf '%s\n' "$version_before" "$version" | sort -V | tail -n 1)" != "$version" ]; then
      say "the version is $version and that of the previous release $version_before: raise <Version> in Directory.Build.props"
    fi
  fi
}
found=$(faults)
if [ -n "$found" ]; then
  printf '%s\n' "$found" >&2
  fail "volman $version cannot be released: see above"
fi
say "volman $version can be released"
if $only_check; then exit 0; fi

use_dotnet
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
export SOURCE_DATE_EPOCH
release=$ROOT/artifacts/release
rm -rf "$release"
mkdir -p "$release"
work=$(mktemp -d "${TMPDIR:-/tmp}/volman-release.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM HUP

if [ -z "$from" ]; then
  eng/package.sh --output "$release"
else
  cp "$from/volman_${version}_"*.deb "$from/volman_${version}_"*.tar.gz "$release" || fail "$from has no packages of volman $version: make them with eng/package.sh --output $from"
fi

say "==> bill of materials"
for deb in "$release"/*.deb; do
  arch=$(dpkg-deb --field "$deb" Architecture)
  # Of the files that users get, not of a build like it.
  dpkg-deb --extract "$deb" "$work/$arch"
  dotnet run --project eng/Sbom --configuration Release -p:RestoreLockedMode=true -- "$work/$arch/usr/lib/volman" --depends "$(dpkg-deb --field "$deb" Depends)" >"$release/volman_${version}_$arch.cdx.json"
done

say "==> schema"
(
  cd migrations/VolumeManager.Migrations.Postgres
  dotnet tool restore >"$work/ef.log" &&
    dotnet restore --locked-mode >>"$work/ef.log" &&
    dotnet ef migrations script --idempotent --configuration Release --output "$release/volman_${version}_schema.sql" >>"$work/ef.log"
) || {
  tail -n 20 "$work/ef.log" >&2
  fail "dotnet ef migrations script failed: see above"
}

if $image; then
  arch=$(docker version --format '{{.Server.Arch}}') || fail "no engine answers: start Docker, or set DOCKER_HOST"
  # The program of the package, if there is one for this engine: a release has one build of it.
  eng/image.sh $([ -e "$work/$arch" ] && say --program "$work/$arch/usr/lib/volman")
  docker save "volman:$version" | gzip -9n >"$release/volman_${version}_$arch.image.tar.gz"
  plugin/build.sh --image "volman:$version" --output "$work/plugin"
  tar --create --sort=name --numeric-owner --directory "$work/plugin" config.json rootfs | gzip -9n >"$release/volman_${version}_$arch.plugin.tar.gz"
fi

cd "$release"
sha256sum -- * >"$work/SHA256SUMS"
mv "$work/SHA256SUMS" .
say
ls -l
say "volman $version is in $release"
