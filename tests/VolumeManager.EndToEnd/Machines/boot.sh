#!/bin/sh
# PID 1 of a private machine: its own name, processes, mounts and network, in which one engine and one daemon run.
# It lives exactly as long as its standard input is open, so nothing outlives the test process, however that ends.
#
#   unshare --mount --pid --net --uts --fork --kill-child sh boot.sh FOLDER ROOT NAME [SHARED…]
#
# FOLDER   the machine's disk, seen inside at the same path: FOLDER/plugins is its /run/docker/plugins, FOLDER/boot_id its boot id
# ROOT     the root file system, or / for the host's own. It is never written to: the machine writes to a layer in memory above it
# NAME     what its kernel calls it: a swarm knows its nodes by that
# SHARED   further folders of the host that a machine with its own root sees at the same path
set -e
folder=$1 root=$2 name=$3
shift 3

mount --make-rslave /
if [ "$root" != / ]; then
    mount -t tmpfs tmpfs "$folder/layers"
    mkdir "$folder/layers/upper" "$folder/layers/work" "$folder/layers/root"
    mount -t overlay -o "lowerdir=$root,upperdir=$folder/layers/upper,workdir=$folder/layers/work" overlay "$folder/layers/root"
    cd "$folder/layers/root"
    mount --rbind /dev dev
    mount --rbind /sys sys
    for shared in "$folder" "$@"; do
        mkdir -p ".$shared"
        mount --bind "$shared" ".$shared"
    done
    mkdir -p before
    # The engine makes / private or shared at its start, which a bare chroot does not allow.
    pivot_root . before
    mount -t proc proc /proc
    umount -l /before
else
    mount -t proc proc /proc
fi
mount -t tmpfs tmpfs /run
mkdir -p /run/lock /run/docker/plugins /etc/docker
mount --bind "$folder/plugins" /run/docker/plugins
mount -t tmpfs tmpfs /etc/docker
mount --bind "$folder/boot_id" /proc/sys/kernel/random/boot_id
mount --make-rshared /
busybox ip link set lo up
busybox hostname "$name"

echo booted
# A child of the shell, not `exec`: the shell reaps the orphans that the engine leaves behind.
cat >/dev/null
