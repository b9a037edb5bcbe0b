#!/usr/bin/env bash
# Makes the Debian package of volman, and an archive for other distributions with systemd.
#
# usage: eng/package.sh [--arch ARCH] [--output DIR] [--version VERSION] [--program DIR]
#   --arch ARCH        amd64 or arm64; that of this machine if not given
#   --output DIR       artifacts/packages if not given
#   --version VERSION  another version than that of Directory.Build.props
#   --program DIR      the folder that `dotnet publish src/VolumeManager -c Release -p:PublishProfile=Package -o DIR` has
#                      made for ARCH; if not given, package.sh publishes by itself, with exactly the locked packages
#
# DIR/volman_VERSION_ARCH.deb      apt install ./volman_VERSION_ARCH.deb
# DIR/volman_VERSION_ARCH.tar.gz   unpack it and run its install.sh
#
# The same source gives the same bytes: SOURCE_DATE_EPOCH, by default the time of the last commit, is the time of all
# that is in them.
set -euo pipefail
# shellcheck source=eng/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

arch=$(dpkg --print-architecture) output=$ROOT/artifacts/packages version='' program=''
while (($#)); do
  case $1 in
    --arch | --output | --version | --program)
      [ -n "${2-}" ] || fail "$1 needs a value; see --help"
      declare "${1#--}=$2"
      shift
      ;;
    -h | --help) header_of "$0" && exit 0 ;;
    *) fail "unknown option $1; see --help" ;;
  esac
  shift
done
case $arch in
  amd64) runtime=linux-x64 ;;
  arm64) runtime=linux-arm64 ;;
  *) fail "there is no package for $arch: use amd64 or arm64" ;;
esac
mkdir -p "$output"
output=$(cd "$output" && pwd)
if [ -n "$program" ]; then program=$(cd "$program" && pwd) || fail "there is no folder $program"; fi
cd "$ROOT"
[ -n "$version" ] || version=$(version_of_tree)
if [ -z "${SOURCE_DATE_EPOCH-}" ]; then
  SOURCE_DATE_EPOCH=$(git log -1 --format=%ct 2>/dev/null) || fail "this is no git repository: set SOURCE_DATE_EPOCH to the seconds since 1970 that the files shall bear"
fi
export SOURCE_DATE_EPOCH
use_dotnet
umask 022

work=$(mktemp -d "${TMPDIR:-/tmp}/volman-package.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM HUP
deb=$work/deb doc=$work/deb/usr/share/doc/volman
mkdir -p "$deb/DEBIAN"

# With intermediate files of its own: other builds may be under way in the same tree.
publish() { # publish DIR ARGUMENTS...
  local log=$work/publish.log
  dotnet publish src/VolumeManager --configuration Release --artifacts-path "$work/build" --output "$@" \
    -p:Version="$version" -p:RestoreLockedMode=true >"$log" 2>&1 || {
    tail -n 20 "$log" >&2
    fail "dotnet publish failed: see above"
  }
}
if [ -n "$program" ]; then
  is_program "$program" "$arch" "$version"
  mkdir -p "$deb/usr/lib"
  cp -R "$program" "$deb/usr/lib/volman"
else
  say "==> publish volman $version for $runtime"
  publish "$deb/usr/lib/volman" --runtime "$runtime" -p:PublishProfile=Package
fi

find "$deb/usr/lib/volman" -type f ! -name volman -exec chmod 644 {} +
chmod 755 "$deb/usr/lib/volman/volman"

# What the command line tells of itself needs a program that runs here.
volman=$deb/usr/lib/volman/volman
if [ "$arch" != "$(dpkg --print-architecture)" ]; then
  publish "$work/here"
  volman=$work/here/volman
fi
told() { # told FILE ARGUMENTS...: what volman prints, as a file
  local file=$1
  shift
  mkdir -p "$(dirname "$file")"
  "$volman" "$@" >"$file" || fail "volman $* failed"
  [ -s "$file" ] || fail "volman $* printed nothing"
}

say "==> package"
install -d "$deb/usr/bin" "$deb/usr/lib/systemd/system/docker.service.wants" "$doc" "$deb/etc/volman" "$deb/usr/share/lintian/overrides"
ln -s ../lib/volman/volman "$deb/usr/bin/volman"
install -m 644 plugin/volman.service plugin/volman-announce.service "$deb/usr/lib/systemd/system"
ln -s ../volman-announce.service "$deb/usr/lib/systemd/system/docker.service.wants/volman-announce.service"
install -m 644 eng/debian/volman.json "$deb/etc/volman/volman.json"
told "$deb/usr/share/man/man8/volman.8" man
told "$deb/usr/share/bash-completion/completions/volman" completion bash
told "$deb/usr/share/zsh/vendor-completions/_volman" completion zsh
told "$deb/usr/share/fish/vendor_completions.d/volman.fish" completion fish
install -m 644 README.md docs/options.md docs/operations.md docs/reporting.md docs/postgresql.sql "$doc"
install -m 644 CHANGELOG.md "$doc/NEWS.md"

# The archive is the same files, below /usr/local.
archive=$work/volman_${version}_$arch
mkdir -p "$archive"
cp -a "$deb/usr/lib/volman" "$archive/volman"
cp -a "$deb/usr/lib/systemd/system" "$archive/units"
sed -i 's,/usr/bin/volman,/usr/local/bin/volman,' "$archive/units/volman.service"
cp -a "$deb/usr/share/man/man8/volman.8" "$deb/etc/volman/volman.json" LICENSE "$archive"
sed -i 's,/usr/share/doc,/usr/local/share/doc,' "$archive/volman.json"
mkdir "$archive/completions" "$archive/doc"
cp "$deb/usr/share/bash-completion/completions/volman" "$archive/completions/volman"
cp "$deb/usr/share/zsh/vendor-completions/_volman" "$deb/usr/share/fish/vendor_completions.d/volman.fish" "$archive/completions"
cp "$doc"/* "$archive/doc"
with_leftovers() { # with_leftovers SCRIPT TARGET: the script with the functions of leftovers.sh in it
  sed -e '/^#LEFTOVERS#$/{r eng/debian/leftovers.sh' -e 'd}' "$1" >"$2"
  chmod 755 "$2"
}
with_leftovers plugin/install.sh "$archive/install.sh"
find "$archive" -exec touch --no-dereference --date="@$SOURCE_DATE_EPOCH" {} +
tar --create --sort=name --owner=0 --group=0 --numeric-owner --format=gnu --directory "$work" "$(basename "$archive")" |
  gzip -9n >"$output/$(basename "$archive").tar.gz"

{
  say "volman ($version) unstable; urgency=medium"
  printf '\n  * See NEWS.md beside this file.\n\n'
  say " -- The Volume Manager authors <maintainers@volman.invalid>  $(LC_ALL=C date --utc --rfc-email --date="@$SOURCE_DATE_EPOCH")"
} >"$doc/changelog"
gzip -9n "$doc/changelog" "$deb/usr/share/man/man8/volman.8"
{
  say 'Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/'
  say 'Upstream-Name: Volume Manager'
  say
  say 'Files: *'
  sed -n 's/^Copyright (c)/Copyright:/p' LICENSE
  say 'License: Expat'
  sed '1,/^Copyright/d; s/^$/./; s/^/ /' LICENSE | sed '1d'
  cat eng/debian/copyright.others
} >"$doc/copyright"
install -m 644 eng/debian/lintian-overrides "$deb/usr/share/lintian/overrides/volman"
for script in postinst prerm postrm; do with_leftovers "eng/debian/$script" "$deb/DEBIAN/$script"; done
say /etc/volman/volman.json >"$deb/DEBIAN/conffiles"
(cd "$deb" && find usr etc -type f -print0 | LC_ALL=C sort -z | xargs -0 md5sum >DEBIAN/md5sums)
sed -e "s/@VERSION@/$version/" -e "s/@ARCH@/$arch/" -e "s/@SIZE@/$(du -sk --apparent-size "$deb/usr" | cut -f1)/" eng/debian/control.in >"$deb/DEBIAN/control"
find "$deb" -exec touch --no-dereference --date="@$SOURCE_DATE_EPOCH" {} +
dpkg-deb --root-owner-group -Zxz -z4 --build "$deb" "$output" >/dev/null

for file in "$output/volman_${version}_$arch".{deb,tar.gz}; do
  say "$file: $(awk -v bytes="$(stat -c %s "$file")" 'BEGIN { printf "%.1f", bytes / 1e6 }') MB"
done
