#!/bin/sh
# Installs volman under /usr/local, on any distribution with systemd, or removes it again.
#
# usage: ./install.sh [--remove]
#   --remove  removes all of it, and without a volume all data too; volumes' data and catalog are left, and named
#
# It lies in the archive that eng/package.sh makes, beside what it installs. Running it again with a newer archive is
# an upgrade: containers go on, and settings and data stay.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
local=/usr/local
units=$local/lib/systemd/system
bash_completion=$local/share/bash-completion/completions/volman
zsh_completion=$local/share/zsh/site-functions/_volman
fish_completion=$local/share/fish/vendor_completions.d/volman.fish

#LEFTOVERS#

fail() {
  echo "install.sh: $*" >&2
  exit 1
}

install_all() {
  for needed in libssl.so.3 libstdc++.so.6; do
    PATH=$PATH:/sbin:/usr/sbin ldconfig -p | grep -q "$needed" || fail "the library $needed is missing: install it (Debian: libssl3, libstdc++6), then run this again"
  done
  if dpkg-query -s volman 2>/dev/null | grep -q '^Status: .* installed$'; then fail "volman is installed from its Debian package: upgrade that, or remove it first"; fi

  # A daemon that runs keeps the old files open until it is started anew.
  mkdir -p $local/lib $local/bin $units/docker.service.wants $local/share/man/man8 "${bash_completion%/*}" "${fish_completion%/*}" /etc/volman
  rm -rf $local/lib/volman.new
  cp -R "$here/volman" $local/lib/volman.new
  chown -R 0:0 $local/lib/volman.new
  rm -rf $local/lib/volman
  mv $local/lib/volman.new $local/lib/volman
  ln -sfn ../lib/volman/volman $local/bin/volman
  cp "$here/units/volman.service" "$here/units/volman-announce.service" $units
  ln -sfn ../volman-announce.service $units/docker.service.wants/volman-announce.service
  cp "$here/volman.8" $local/share/man/man8
  cp "$here/completions/volman" "$bash_completion"
  # That directory is zsh's own.
  if [ -d "${zsh_completion%/*}" ]; then cp "$here/completions/_volman" "$zsh_completion"; fi
  cp "$here/completions/volman.fish" "$fish_completion"
  mkdir -p $local/share/doc/volman
  cp "$here/doc"/* "$here/LICENSE" $local/share/doc/volman
  [ -e /etc/volman/volman.json ] || cp "$here/volman.json" /etc/volman
  rm -f "$noted"

  systemctl daemon-reload
  systemctl enable --quiet volman.service
  systemctl restart volman.service || fail "volman does not start: journalctl -u volman says why; when that is mended, systemctl start volman"
  echo "volman $($local/bin/volman --version) is installed and serves the driver $(basename "$(setting socket /run/docker/plugins/volman.sock)" .sock)"
}

remove_all() {
  PATH=$local/bin:$PATH note_what_is_held
  if [ -e $units/volman.service ]; then systemctl disable --now --quiet volman.service || true; fi
  recall
  remove_sockets
  rm -rf $local/lib/volman $local/share/doc/volman
  rm -f $local/bin/volman $units/volman.service $units/volman-announce.service $units/docker.service.wants/volman-announce.service \
    $local/share/man/man8/volman.8 "$bash_completion" "$zsh_completion" "$fish_completion" /etc/volman/volman.json /etc/default/volman
  # What install_all may have made.
  for directory in $units/docker.service.wants $units $local/lib/systemd $local/share/man/man8 "${bash_completion%/*}" $local/share/bash-completion \
    "${fish_completion%/*}" $local/share/fish $local/share/doc /etc/volman; do
    rmdir "$directory" 2>/dev/null || true
  done
  systemctl daemon-reload
  if [ -d /etc/volman ]; then echo "volman: what you have put into /etc/volman is left"; fi
  remove_data_or_tell
}

[ "$(id -u)" = 0 ] || fail "it writes to $local and starts a service: run it as root"
[ -d /run/systemd/system ] || fail "systemd does not run here: start \`volman serve\` by other means, before the engine"
case ${1-} in
  '') install_all ;;
  --remove) remove_all ;;
  *) fail "usage: install.sh [--remove]" ;;
esac
