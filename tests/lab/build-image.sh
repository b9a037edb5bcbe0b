# shellcheck shell=bash disable=SC2154
# Sourced by lab: makes the hosts' root image, Debian 12 with engine, NFS and PostgreSQL, read-only and shared by
# all hosts; and an empty disk, of which each host gets a copy.

build_image() {
  [ ! -f "$image" ] || [ ! -f "$disk" ] || { say "image: there already, $(du -m "$image" | cut -f1) MiB" && return; }
  install_missing mmdebstrap mkfs.ext4 busybox-static dropbearkey ssh-keygen
  # not local: the trap needs it when this function is over
  root=$(mktemp -d "${TMPDIR:-/tmp}/lab-root.XXXXXX")
  trap 'rm -rf --one-file-system "$root"' EXIT
  get_base
  tar -C "$root" -xf "$base"
  rm -rf "$root"/var/lib/postgresql/15/main "$root"/dev/*
  add_guest
  add_container_image
  add_keys
  local size=$(($(du -sm "$root" | cut -f1) * 110 / 100 + 60))
  mkfs.ext4 -q -d "$root" -O ^has_journal -m 0 -L root "$image.partial" "${size}M"
  rm -f "$disk.partial"
  truncate -s "$LAB_DISK" "$disk.partial"
  mkfs.ext4 -q -m 0 -L disk -E lazy_itable_init=1,lazy_journal_init=1 -J size=16 "$disk.partial"
  mv "$disk.partial" "$disk"
  mv "$image.partial" "$image"
  say "image: $(du -m "$image" | cut -f1) MiB in $(duration $SECONDS)"
}

# Debian's part, which is kept: the rest takes seconds.
get_base() {
  [ ! -f "$base" ] || return 0
  say "image: fetching Debian 12 with $(tr ',' ' ' <<<"$packages" | wc -w) packages and theirs from $(debian_mirror)"
  local options
  options=$(mktemp)
  apt_access >"$options"
  mmdebstrap --quiet --variant=minbase --include="$packages" --aptopt="$options" \
    --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
    bookworm "$base.partial.tar" "$(debian_mirror)" || fail "no bookworm from $(debian_mirror): see above what mmdebstrap said"
  rm "$options"
  mv "$base.partial.tar" "$base"
}

add_guest() {
  mkdir -p "$root/lab" "$root/etc/docker"
  cp "$lab"/guest/* "$root/lab/"
  mv "$root"/lab/start-* "$root/usr/local/sbin/"
  mv "$root/lab/inittab" "$root/etc/"
  say '{ "storage-driver": "overlay2", "log-level": "warn" }' >"$root/etc/docker/daemon.json"
  # The kernel has the older tables only for both IP versions.
  ln -sf /usr/sbin/iptables-legacy "$root/etc/alternatives/iptables"
  ln -sf /usr/sbin/ip6tables-legacy "$root/etc/alternatives/ip6tables"
  mknod -m 600 "$root/dev/console" c 5 1
  mknod -m 666 "$root/dev/null" c 1 3
  : >"$root/etc/machine-id"
  rm -f "$root/etc/resolv.conf"
  : >"$root/etc/resolv.conf"
}

# What containers run: busybox, to be imported by each engine; and flock, which Debian's busybox lacks.
add_container_image() {
  local files=$root/lab/busybox applet
  mkdir -p "$files"/{bin,tmp,proc,sys,dev,etc,lib,lib64}
  cp "$root/usr/bin/flock" "$files/bin/"
  cp "$root/lib/x86_64-linux-gnu/libc.so.6" "$files/lib/"
  cp "$root/lib64/ld-linux-x86-64.so.2" "$files/lib64/"
  cp "$root/usr/bin/busybox" "$files/bin/"
  "$files/bin/busybox" --list | while read -r applet; do
    [ -e "$files/bin/$applet" ] || ln -s busybox "$files/bin/$applet"
  done
  tar -C "$files" -cf "$root/lab/busybox.tar" .
  rm -r "$files"
}

# For ssh from this machine, good for these hosts only.
add_keys() {
  mkdir -p "$root/root/.ssh"
  [ -f "$LAB_CACHE/key" ] || ssh-keygen -q -t ed25519 -N '' -C laboratory -f "$LAB_CACHE/key"
  [ -f "$LAB_CACHE/ssh_host_key" ] || dropbearkey -t ed25519 -f "$LAB_CACHE/ssh_host_key" >/dev/null 2>&1
  cp "$LAB_CACHE/key.pub" "$root/root/.ssh/authorized_keys"
  cp "$LAB_CACHE/ssh_host_key" "$root/lab/"
  chmod 700 "$root/root" "$root/root/.ssh"
  chmod 600 "$root/root/.ssh/authorized_keys" "$root/lab/ssh_host_key"
}
