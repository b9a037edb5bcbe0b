#!/usr/bin/env bash
# Makes stand-ins for the base images of Dockerfile and docker-compose.yml, for tests on machines that can pull none.
#
# usage: eng/stand-ins.sh [--import] [IMAGE...]
#   IMAGE     debian:trixie-slim, mcr.microsoft.com/dotnet/sdk:10.0 or postgres:17; all of them if none is named
#   --import  and gives them to the engine of DOCKER_HOST, under the real images' names
#
# What is built on them is built from the real, unmodified files; they themselves are not the real images. They
# are Debian roots that hold what those hold as far as we use it: the SDK's has this machine's .NET SDK, its
# certificates and the NuGet packages that a build needs; PostgreSQL's has an entrypoint of our own that knows
# POSTGRES_USER, POSTGRES_PASSWORD_FILE, POSTGRES_DB and /docker-entrypoint-initdb.d. Made once, some minutes, and
# kept in ${XDG_CACHE_HOME:-~/.cache}/volman/stand-ins as NAME-HASH.tar, with what `docker import --change` is to
# be told in NAME-HASH.changes. Without --import their paths are printed.
set -euo pipefail
# shellcheck source=eng/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

import=false images=()
while (($#)); do
  case $1 in
    --import) import=true ;;
    -h | --help) header_of "$0" && exit 0 ;;
    -*) fail "unknown option $1; see --help" ;;
    *) images+=("$1") ;;
  esac
  shift
done
if ((${#images[@]} == 0)); then images=(debian:trixie-slim mcr.microsoft.com/dotnet/sdk:10.0 postgres:17); fi

suite=trixie
cache=${XDG_CACHE_HOME:-$HOME/.cache}/volman/stand-ins
made_by=$(cat "${BASH_SOURCE[0]}" <(command -v dotnet >/dev/null && dotnet --version) | sha256sum | cut -c1-12)
work=''

# The SDK's holds the packages, so it is another with other packages.
path_of() {
  local name hash=$made_by
  name=$(tr '/:' '--' <<<"${1##*/}")
  if [[ $1 == */sdk:* ]]; then hash=$(cat <(say "$made_by") "$ROOT"/{src,migrations}/*/*.lock.json | sha256sum | cut -c1-12); fi
  say "$cache/$name-$hash"
}

# debian TAR PACKAGE,... [HOOK]: as small as the official slim images, which leave out the same files, and whose apt
# keeps neither packages nor caches. HOOK runs at the end, its $1 is the root.
debian() {
  local tar=$1 include=$2 exclude files=()
  cat >"$work/no-caches" <<'END'
Dir::Cache::pkgcache "";
Dir::Cache::srcpkgcache "";
DPkg::Post-Invoke { "rm -f /var/cache/apt/archives/*.deb /var/cache/apt/archives/partial/*.deb"; };
END
  for exclude in man doc info locale lintian linda groff; do files+=(--dpkgopt="path-exclude=/usr/share/$exclude/*"); done
  apt_access >"$work/apt.conf"
  # shellcheck disable=SC2016 # the hooks' own arguments
  # mmdebstrap leaves both kinds of options in the root: what is installed there later goes the same way.
  mmdebstrap --quiet --variant=minbase ${include:+--include="$include"} "${files[@]}" --dpkgopt='path-include=/usr/share/doc/*/copyright' \
    --aptopt='Acquire::Check-Valid-Until "false"' --aptopt='Acquire::Languages "none"' --aptopt="$work/apt.conf" \
    --customize-hook='rm -f "$1/etc/resolv.conf" "$1/etc/hostname"' --customize-hook="${3:-true}" \
    --customize-hook="cp '$work/no-caches' \"\$1/etc/apt/apt.conf.d/no-caches\"" --customize-hook='rm -f "$1"/var/cache/apt/*.bin' \
    "$suite" "$tar" "$(debian_mirror)" || fail "no $suite from $(debian_mirror): see above what mmdebstrap said"
}

make_slim() {
  debian "$1.partial.tar" ''
  say 'CMD ["bash"]' >"$1.changes"
}

make_sdk() {
  local dotnet
  use_dotnet
  dotnet=$DOTNET_ROOT
  packages_of_a_build "$work/packages"
  debian "$1.partial.tar" ca-certificates,libstdc++6,libssl3t64,zlib1g "add_sdk() {
    mkdir -p \"\$1/root/.nuget\" \"\$1/usr/share\"
    cp -a '$dotnet' \"\$1/usr/share/dotnet\"
    ln -s /usr/share/dotnet/dotnet \"\$1/usr/bin/dotnet\"
    cp -a '$work/packages' \"\$1/root/.nuget/packages\"
    # Whatever stands between this machine and a registry, this machine trusts it.
    cat /etc/ssl/certs/ca-certificates.crt >\"\$1/etc/ssl/certs/ca-certificates.crt\"
  }; add_sdk \"\$1\""
  {
    say 'CMD ["bash"]'
    say 'ENV DOTNET_RUNNING_IN_CONTAINER=true'
    say 'ENV DOTNET_GENERATE_ASPNET_CERTIFICATE=false'
    say 'ENV DOTNET_NOLOGO=true'
    say 'ENV DOTNET_SYSTEM_GLOBALIZATION_INVARIANT=1'
    if [ -n "${NUGET_CERT_REVOCATION_MODE-}" ]; then say "ENV NUGET_CERT_REVOCATION_MODE=$NUGET_CERT_REVOCATION_MODE"; fi
  } >"$1.changes"
}

# What restoring for a publish fetches. In a copy: a restore writes into obj, and says there where packages lie.
packages_of_a_build() {
  local copy=$work/source runtime=linux-x64
  if [ "$(uname -m)" = aarch64 ]; then runtime=linux-arm64; fi
  mkdir "$copy"
  tar -C "$ROOT" --exclude=bin --exclude=obj -cf - global.json Directory.Build.props Directory.Packages.props src migrations | tar -C "$copy" -xf -
  # Packages are copied where they are already. NuGet calls such a folder a fallback, and takes it for as good as a registry's.
  dotnet restore "$copy/src/VolumeManager" -p:RuntimeIdentifier="$runtime" -p:PublishProfile=Package --locked-mode --packages "$1" >"$work/restore.log" 2>&1 ||
    { tail -n 20 "$work/restore.log" >&2 && fail "the packages of a build cannot be restored: see above"; }
}

make_postgres() {
  # Compiling queries is a third of it, and our queries never are.
  postgres_entrypoint >"$work/entrypoint"
  chmod 755 "$work/entrypoint"
  debian "$1.partial.tar" postgresql-17 "
    cp '$work/entrypoint' \"\$1/usr/local/bin/docker-entrypoint.sh\"
    rm -rf \"\$1/usr/lib/\"*/libLLVM* \"\$1/usr/lib/postgresql/17/lib/bitcode\" \"\$1/usr/lib/postgresql/17/lib/\"llvmjit*
    rm -rf \"\$1/var/lib/postgresql/17\" \"\$1/etc/postgresql/17\"
    mkdir -p \"\$1/docker-entrypoint-initdb.d\" \"\$1/var/lib/postgresql/data\"
    chroot \"\$1\" chown -R postgres:postgres /var/lib/postgresql"
  {
    say 'ENTRYPOINT ["docker-entrypoint.sh"]'
    say 'CMD ["postgres"]'
    say 'ENV PATH=/usr/lib/postgresql/17/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'
    say 'ENV PGDATA=/var/lib/postgresql/data'
    say 'VOLUME /var/lib/postgresql/data'
    say 'EXPOSE 5432'
    say 'STOPSIGNAL SIGINT'
  } >"$1.changes"
}

# As the official image behaves towards a compose file: like that, it reads its secrets as user postgres, not as root.
postgres_entrypoint() {
  cat <<'END'
#!/bin/bash
set -euo pipefail
if [ "$(id -u)" = 0 ]; then
  install -d -o postgres -g postgres -m 700 "$PGDATA"
  install -d -o postgres -g postgres -m 2775 /run/postgresql
  exec setpriv --reuid postgres --regid postgres --init-groups env HOME=/var/lib/postgresql "$0" "$@"
fi
if [ "$1" = postgres ] && [ ! -s "$PGDATA/PG_VERSION" ]; then
  export POSTGRES_USER=${POSTGRES_USER:-postgres}
  export POSTGRES_DB=${POSTGRES_DB:-$POSTGRES_USER}
  [ -n "${POSTGRES_PASSWORD_FILE-}" ] || { echo "POSTGRES_PASSWORD_FILE is not set" >&2 && exit 1; }
  initdb --username="$POSTGRES_USER" --pwfile="$POSTGRES_PASSWORD_FILE" --auth-local=trust --auth-host=scram-sha-256
  echo "host all all all scram-sha-256" >>"$PGDATA/pg_hba.conf"
  pg_ctl -D "$PGDATA" -o "-c listen_addresses=''" -w start
  export PGUSER=$POSTGRES_USER PGDATABASE=$POSTGRES_DB
  if [ "$POSTGRES_DB" != postgres ]; then psql -v ON_ERROR_STOP=1 -d postgres -c "CREATE DATABASE \"$POSTGRES_DB\""; fi
  for file in /docker-entrypoint-initdb.d/*; do
    case $file in
      *.sh) if [ -x "$file" ]; then "$file"; else . "$file"; fi ;;
      *.sql) psql -v ON_ERROR_STOP=1 --no-password -f "$file" ;;
    esac
  done
  pg_ctl -D "$PGDATA" -m fast -w stop
  unset PGUSER PGDATABASE
fi
if [ "$1" = postgres ]; then set -- "$@" -c 'listen_addresses=*' -c jit=off; fi
exec "$@"
END
}

# make IMAGE: unless it is there, or another run makes it at this moment.
make() {
  local path maker
  path=$(path_of "$1")
  case $1 in
    debian:trixie-slim) maker=make_slim ;;
    mcr.microsoft.com/dotnet/sdk:10.0) maker=make_sdk ;;
    postgres:17) maker=make_postgres ;;
    *) fail "there is no stand-in for $1; see --help" ;;
  esac
  mkdir -p "$cache"
  exec 9>"$path.lock"
  flock 9
  if [ ! -e "$path.tar" ]; then
    require_root
    install_missing mmdebstrap >&2
    say "making a stand-in for $1" >&2
    work=$(mktemp -d)
    trap 'rm -rf --one-file-system "$work"' EXIT
    trap 'exit 130' INT TERM HUP
    $maker "$path" >&2
    mv "$path.partial.tar" "$path.tar"
    rm -rf --one-file-system "$work"
  fi
  touch -a "$path.tar" "$path.changes"
}

for image in "${images[@]}"; do
  (make "$image")
  path=$(path_of "$image")
  if $import; then
    mapfile -t changes <"$path.changes"
    docker import "${changes[@]/#/--change=}" "$path.tar" "$image" >/dev/null
    say "$image: $(docker image inspect --format '{{.Size}}' "$image" | awk '{ printf "%.1f MB", $1 / 1e6 }')"
  else
    say "$path.tar"
  fi
done
# those of older checkouts, which nobody has used for two weeks
find "$cache" -maxdepth 1 -type f -atime +14 -delete
