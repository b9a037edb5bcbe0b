#!/bin/sh
# A Debian machine that systemd boots, in a container of systemd-nspawn: what is installed into it is gone with it.
# It lives at most as long as its standard input is open, so nothing outlives the test process, however that ends.
#
#   unshare --mount --pid --fork --kill-child sh debian-machine.sh FOLDER ROOT NAME
#
# FOLDER   the machine's disk; the machine sees FOLDER/exchange as /exchange
# ROOT     the root file system. It is never written to: the machine writes to FOLDER
# NAME     what its kernel calls it, and the control group that all of it is in
set -e
folder=$1 root=$2 name=$3

mount --make-rprivate /
mount -t proc proc /proc
# In its own group of each hierarchy its engine cannot meet those of others, and what it leaves can be found.
for tree in /sys/fs/cgroup /sys/fs/cgroup/*; do
    [ -w "$tree/cgroup.procs" ] || continue
    mkdir -p "$tree/$name"
    # A new group has no processor and no memory until it is given some.
    for what in cpuset.cpus cpuset.mems; do
        if [ -e "$tree/$what" ]; then cat "$tree/$what" >"$tree/$name/$what"; fi
    done
    echo 0 >"$tree/$name/cgroup.procs"
done

mkdir -p "$folder/upper" "$folder/work" "$folder/docker" "$folder/containerd" "$folder/exchange" "$folder/root"
mount -t overlay -o "lowerdir=$root,upperdir=$folder/upper,workdir=$folder/work" overlay "$folder/root"
cd "$folder/root"
echo "$name" >etc/hostname
mkdir -p var/log/journal exchange etc/systemd/system/docker.service.d
# Of the control groups nspawn lets a container write to systemd's own only.
cat >etc/systemd/system/docker.service.d/groups.conf <<'END'
[Service]
ExecStartPre=/bin/sh -c 'for tree in /sys/fs/cgroup/*/; do mount -o remount,rw,bind $tree 2>/dev/null; done; true'
END
# nspawn keeps something below /run; it shall go with the machine.
mount -t tmpfs tmpfs /run
cd /
# Layers upon layers the engine could not mount: it gets directories of the disk.
boot() {
    systemd-nspawn --quiet --boot --settings=no --register=no --keep-unit --directory="$folder/root" --machine="$name" --private-network \
        --capability=all --system-call-filter=@known --resolv-conf=off --timezone=off --link-journal=no --console=read-only \
        --bind="$folder/docker:/var/lib/docker" --bind="$folder/containerd:/var/lib/containerd" --bind="$folder/exchange:/exchange"
}
# 133: the machine asked for a reboot.
(code=133; while [ $code = 133 ]; do code=0; boot || code=$?; done) </dev/null >"$folder/console" 2>&1 &
echo booting
cat >/dev/null
