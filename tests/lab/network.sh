# shellcheck shell=bash disable=SC2154
# Sourced by lab: the network between the hosts, a switch in a namespace of its own, and how it is cut.

within() { ip netns exec "$namespace" "$@"; }

make_network() {
  [ ! -e "/run/netns/$namespace" ] || return 0
  ip netns add "$namespace"
  within ip link set lo up
  within ip link add data type bridge
  within ip addr add "$net.1/24" dev data
  within ip link set data up
  within ip link add control type bridge
  within ip addr add "$control.1/24" dev control
  within ip link set control up
  within nft -f - <<'RULES'
table bridge lab {
  set cut { type ifname; }
  set pair { type ifname . ifname; }
  chain forwarded { type filter hook forward priority 0; iifname @cut drop; oifname @cut drop; iifname . oifname @pair drop; }
  chain to_switch { type filter hook input priority 0; iifname @cut drop; }
  chain from_switch { type filter hook output priority 0; oifname @cut drop; }
}
RULES
}

# The cables of host NUMBER: data, and one for ssh.
plug_in() {
  plug "d$1" data
  plug "c$1" control
}
plug() { # plug CABLE SWITCH
  within ip link show "$1" >/dev/null 2>&1 || within ip tuntap add dev "$1" mode tap
  within ip link set "$1" master "$2" up
}

# A host from all others, or two from each other. ssh goes another way.
cut_off() { change add "$@"; }
heal() {
  if (($#)); then
    change delete "$@"
  else
    within nft flush set bridge lab cut
    within nft flush set bridge lab pair
  fi
}
change() { # change add|delete hA [hB]
  local one two
  one=d$(number_of "$2")
  if (($# == 2)); then
    within nft "$1" element bridge lab cut "{ \"$one\" }"
  else
    two=d$(number_of "$3")
    within nft "$1" element bridge lab pair "{ \"$one\" . \"$two\", \"$two\" . \"$one\" }"
  fi
}
