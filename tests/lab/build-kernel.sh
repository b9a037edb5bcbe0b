# shellcheck shell=bash disable=SC2154
# Sourced by lab: makes the hosts' kernel, user-mode Linux, from Debian's linux-source with kernel.config.
# It has to be 6.19 or later (its seccomp mode needs no ptrace), which Debian 12 has in no suite of its own.

suite=trixie-backports

build_kernel() {
  [ ! -x "$kernel" ] || { say "kernel: there already, $("$kernel" --version)" && return; }
  install_missing gcc make flex bison bc xz libc6-dev
  # not local: the trap needs it when this function is over
  work=$(mktemp -d "${TMPDIR:-/tmp}/lab-kernel.XXXXXX")
  trap 'rm -rf "$work"' EXIT
  get_source
  cd "$work/$source"
  configure
  say "kernel: compiling some 2100 files"
  # The log has it all; here every 200th file is enough.
  make ARCH=um -j"$(nproc)" linux 2>&1 | tee "$LAB_CACHE/kernel.log" |
    awk '/^ +(CC|AS|AR|LD) / && ++files % 200 == 0 { print "kernel: " files " files"; fflush() }' ||
    { tail -n 20 "$LAB_CACHE/kernel.log" && fail "the kernel cannot be compiled; the end of $LAB_CACHE/kernel.log is above"; }
  strip -o "$kernel.partial" linux
  mv "$kernel.partial" "$kernel"
  say "kernel: $("$kernel" --version) in $(duration $SECONDS)"
}

# The newest source of the suite, with a state of apt of our own: this machine's lists and sources stay as they are.
get_source() {
  local apt=$work/apt options
  mkdir -p "$apt"/lists/partial "$apt"/cache/archives/partial
  say "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $(debian_mirror) $suite main" >"$apt/sources.list"
  options=(-o Dir::Etc::sourcelist="$apt/sources.list" -o Dir::Etc::sourceparts=/dev/null
    -o Dir::State::lists="$apt/lists" -o Dir::Cache="$apt/cache" -o APT::Sandbox::User=root)
  apt-get "${options[@]}" -qq update || fail "there is no $suite at $(debian_mirror)"
  source=$(apt-cache "${options[@]}" search --names-only '^linux-source-[0-9.]+$' | awk '{ print $1 }' | sort -V | tail -n 1)
  [ -n "$source" ] || fail "$suite has no linux-source"
  say "kernel: fetching $source from $suite"
  (cd "$work" && apt-get "${options[@]}" -qq download "$source" && dpkg -x "$source"_*.deb . && tar xf "usr/src/$source.tar.xz") ||
    fail "$source cannot be fetched"
}

configure() {
  local line
  make -s ARCH=um x86_64_defconfig
  ./scripts/kconfig/merge_config.sh -m .config "$lab/kernel.config" >/dev/null
  make -s ARCH=um olddefconfig
  while read -r line; do
    case $line in
      CONFIG_*=n) if grep -q "^${line%n}" .config; then say "kernel: cannot do without ${line%=n}"; fi ;;
      CONFIG_*) if ! grep -qxF "$line" .config; then say "kernel: has no $line"; fi ;;
    esac
  done <"$lab/kernel.config"
}
