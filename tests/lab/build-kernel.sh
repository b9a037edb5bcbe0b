# shellcheck shell=bash disable=SC2154
# Sourced by lab: the hosts' kernel, user-mode Linux. The repository ships it compressed (kernel/linux.xz), and
# kernel/linux.source says which Debian source package it was compiled from. Here it is unpacked, or compiled.
# It must be 6.19 or later, because its seccomp mode needs no ptrace; no suite of Debian 12 has that.

suite=trixie-backports
shipped=$lab/kernel/linux.xz
origin=$lab/kernel/linux.source

# origin_of NAME: one line of kernel/linux.source.
origin_of() { sed -n "s/^$1: //p" "$origin"; }

unpack_kernel() {
  [ ! -x "$kernel" ] || { say "kernel: there already, $("$kernel" --version)" && return; }
  install_missing xz
  [ "$(origin_of config)" = "$(sha256sum <"$lab/kernel.config" | cut -d' ' -f1)" ] ||
    fail "kernel/linux.xz was not compiled from this kernel.config: run tests/lab/lab ship-kernel and commit what it writes"
  xz -dc "$shipped" >"$kernel.partial"
  [ "$(origin_of executable)" = "$(sha256sum <"$kernel.partial" | cut -d' ' -f1)" ] ||
    fail "kernel/linux.xz is damaged: its checksum is not the one in kernel/linux.source"
  chmod 755 "$kernel.partial"
  mv "$kernel.partial" "$kernel"
  say "kernel: $("$kernel" --version), $(origin_of package) $(origin_of version)"
}

# Compiles the kernel into $LAB_CACHE/linux.compiled. Two builds of one source by one compiler are the same.
compile_kernel() { # compile_kernel [VERSION]
  install_missing gcc make flex bison bc xz libc6-dev
  # not local: the trap needs it when this function is over
  work=$(mktemp -d "${TMPDIR:-/tmp}/lab-kernel.XXXXXX")
  trap 'rm -rf "$work"' EXIT
  get_source "${1-}"
  cd "$work/$package"
  # What would otherwise differ from build to build: time, machine, and the path of the source.
  export KBUILD_BUILD_TIMESTAMP='1970-01-01 00:00:00' KBUILD_BUILD_USER=lab KBUILD_BUILD_HOST=lab KBUILD_BUILD_VERSION=1 LC_ALL=C
  export KCFLAGS="-ffile-prefix-map=$PWD=linux"
  configure
  say "kernel: compiling some 2100 files of $package $version"
  # The log has it all; here every 200th file is enough.
  make ARCH=um -j"$(nproc)" linux 2>&1 | tee "$LAB_CACHE/kernel.log" |
    awk '/^ +(CC|AS|AR|LD) / && ++files % 200 == 0 { print "kernel: " files " files"; fflush() }' ||
    { tail -n 20 "$LAB_CACHE/kernel.log" && fail "the kernel cannot be compiled; the end of $LAB_CACHE/kernel.log is above"; }
  strip -o "$LAB_CACHE/linux.compiled" linux
  say "kernel: $("$LAB_CACHE/linux.compiled" --version) in $(duration $SECONDS)"
}

compiler() { gcc --version | head -n 1; }

# Compiles the newest source of the suite and puts it into the repository.
ship_kernel() {
  compile_kernel
  mkdir -p "$lab/kernel"
  xz -9e -T1 -c "$LAB_CACHE/linux.compiled" >"$shipped"
  cat >"$origin" <<END
package: $package
version: $version
suite: $suite
compiler: $(compiler)
config: $(sha256sum <"$lab/kernel.config" | cut -d' ' -f1)
executable: $(sha256sum <"$LAB_CACHE/linux.compiled" | cut -d' ' -f1)
END
  say "kernel: $shipped, $(du -k "$shipped" | cut -f1) KiB"
}

# Proves that the shipped executable is what its source and configuration give.
check_kernel() {
  local compiled
  [ "$(compiler)" = "$(origin_of compiler)" ] ||
    fail "the shipped kernel was compiled by $(origin_of compiler), and this machine has $(compiler): check it on such a machine, or ship a new one with tests/lab/lab ship-kernel"
  compile_kernel "$(origin_of version)"
  compiled=$(sha256sum <"$LAB_CACHE/linux.compiled" | cut -d' ' -f1)
  [ "$compiled" = "$(origin_of executable)" ] ||
    fail "the shipped kernel is not what $package $version gives: $(origin_of executable) shipped, $compiled compiled ($LAB_CACHE/linux.compiled)"
  say "kernel: the shipped executable is byte for byte what $package $version gives"
}

# Fetches the source of the suite with a state of apt of our own: this machine's lists and sources stay as they are.
get_source() { # get_source [VERSION]
  local apt=$work/apt options
  mkdir -p "$apt"/lists/partial "$apt"/cache/archives/partial
  say "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $(debian_mirror) $suite main" >"$apt/sources.list"
  options=(-o Dir::Etc::sourcelist="$apt/sources.list" -o Dir::Etc::sourceparts=/dev/null
    -o Dir::State::lists="$apt/lists" -o Dir::Cache="$apt/cache" -o APT::Sandbox::User=root)
  apt-get "${options[@]}" -qq update || fail "there is no $suite at $(debian_mirror)"
  if [ -n "${1-}" ]; then
    package=$(origin_of package) version=$1
  else
    package=$(apt-cache "${options[@]}" search --names-only '^linux-source-[0-9.]+$' | awk '{ print $1 }' | sort -V | tail -n 1)
    [ -n "$package" ] || fail "$suite has no linux-source"
    version=$(apt-cache "${options[@]}" show "$package" | sed -n 's/^Version: //p' | sort -V | tail -n 1)
  fi
  say "kernel: fetching $package $version from $suite"
  (cd "$work" && apt-get "${options[@]}" -qq download "$package=$version" && dpkg -x "$package"_*.deb . && tar xf "usr/src/$package.tar.xz") ||
    fail "$package $version cannot be fetched from $suite: if the suite has moved on, ship its kernel with tests/lab/lab ship-kernel"
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
