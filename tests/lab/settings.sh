# shellcheck shell=bash disable=SC2034
# Sourced by the scripts beside it: what the environment may say otherwise, and where the parts are kept.

: "${LAB_CACHE:=${XDG_CACHE_HOME:-$HOME/.cache}/volman/lab}" # kernel and image: made once, only read afterwards
: "${LAB_STATE:=${TMPDIR:-/tmp}/volman-lab}"                 # one running laboratory; its last part names the network namespace
: "${LAB_RAM:=/dev/shm}"                                     # memory of the hosts: a tmpfs that allows exec
: "${LAB_MEMORY:=1024}"                                      # MiB a host
: "${LAB_DISK:=20G}"                                         # a host's own disk, sparse

net=10.77.0        # the hosts' network: hN is .1N, this machine .1
net6=fd77:        # the same with IPv6: hN is fd77::1N
control=10.78.0    # for ssh, never cut
namespace=${LAB_STATE##*/}

packages=iproute2,iptables,nftables,kmod,procps,psmisc,netbase,ca-certificates,nfs-common,nfs-kernel-server,rpcbind
packages+=,docker.io,containerd,runc,postgresql-15,libsqlite3-0,libssl3,curl,busybox-static,iputils-ping,e2fsprogs,xfsprogs,util-linux,dropbear-bin

# Parts are kept under the hash of what they are made of: checkouts of different age share a cache.
hash_of() { cat "$@" | sha256sum | cut -c1-12; }
find_parts() {
  kernel=$LAB_CACHE/linux-$(hash_of "$lab/kernel/linux.source")
  base=$LAB_CACHE/base-$(hash_of <(echo "$packages")).tar
  image=$LAB_CACHE/root-$(hash_of "$lab"/build-image.sh "$lab"/settings.sh "$lab"/guest/*).ext4
  disk=$LAB_CACHE/disk-$LAB_DISK.ext4
}
