# shellcheck shell=sh
# What of volman stays on a host, and what goes: package.sh puts these functions into the package's prerm and postrm and into plugin/install.sh.
# They run where neither volman nor its configuration may be left, so what is known at removal is noted in a file beside the data.

noted=/var/lib/volman/removed

# setting KEY DEFAULT: as the service reads it, the environment over the file.
setting() {
  variable=VOLMAN_$(printf %s "$1" | tr a-z- A-Z_)
  value=$(sed -n "s/^[[:space:]]*$variable=//p" /etc/default/volman 2>/dev/null | tail -n 1 | tr -d "\"'")
  if [ -z "$value" ]; then
    value=$(sed -n "s/^[[:space:]]*\"$1\"[[:space:]]*:[[:space:]]*\"\([^\"]*\)\".*/\1/p" /etc/volman/volman.json 2>/dev/null | tail -n 1)
  fi
  printf '%s\n' "${value:-$2}"
}

# number KEY: the number of that name in the JSON on standard input, or nothing.
number() { sed -n "s/.*\"$1\":\([0-9]*\)[,}].*/\1/p" | head -n 1; }

mounts_below() { awk -v root="$1/" 'index($5, root) == 1 { print substr($5, length(root) + 1) }' /proc/self/mountinfo | sort -u; }

# While volman still runs: notes where its data is and what it holds, and tells what goes on without it. Nothing is noted of a daemon that does not answer.
note_what_is_held() {
  state=$(setting state-dir /var/lib/volman)
  mounts=$(setting mount-root /var/lib/volman/mnt)
  data=$(setting data-root /var/lib/volman/volumes)
  socket=$(setting socket /run/docker/plugins/volman.sock)
  status=$(volman status --output json 2>/dev/null) || status=
  trash=$(volman trash ls --output json 2>/dev/null) || trash=
  scope=$(printf %s "$status" | sed -n 's/.*"scope":"\([a-z]*\)".*/\1/p')
  if [ -n "$trash" ]; then trashed=$(printf %s "$trash" | grep -o '"removed_at":' | wc -l); else trashed=; fi
  mkdir -p /var/lib/volman
  {
    printf 'state=%s\nmounts=%s\ndata=%s\nsocket=%s\nscope=%s\n' "$state" "$mounts" "$data" "$socket" "$scope"
    printf 'volumes=%s\ntrashed=%s\nuntold=%s\n' "$(printf %s "$status" | number volumes)" "$trashed" "$(printf %s "$status" | number untold_events)"
  } >$noted
  held=$(mounts_below "$mounts")
  if [ -n "$held" ]; then
    echo "volman: these volumes are in use by containers, which go on undisturbed:"
    # shellcheck disable=SC2086 # one a word: names of volumes have no spaces
    printf '  %s\n' $held
    echo "volman: without volman such a container cannot be started again, and what it leaves mounted below $mounts stays so until the next boot."
  fi
}

recall() {
  state=/var/lib/volman mounts=/var/lib/volman/mnt data=/var/lib/volman/volumes socket=/run/docker/plugins/volman.sock
  scope='' volumes='' trashed='' untold=''
  if [ -f $noted ]; then
    while IFS='=' read -r key value; do
      case $key in
        state) state=$value ;;
        mounts) mounts=$value ;;
        data) data=$value ;;
        socket) socket=$value ;;
        scope) scope=$value ;;
        volumes) volumes=$value ;;
        trashed) trashed=$value ;;
        untold) untold=$value ;;
      esac
    done <$noted
  fi
}

# A daemon that was killed leaves its socket, and each `docker volume ls` would wait 15 s for an answer there. Another volman's is left alone:
# the kernel knows a socket by the name under which it was bound.
remove_sockets() {
  for path in "$socket" /run/volman/admin.sock; do
    if [ -S "$path" ] && ! grep -qE " $path(\.new)?\$" /proc/net/unix; then rm -f "$path"; fi
  done
  spec=/etc/docker/plugins/$(basename "$socket" .sock).spec
  if [ -f "$spec" ] && [ "$(tr -d '[:space:]' <"$spec")" = "unix://$socket" ]; then rm -f "$spec"; fi
  # Where no engine has run since the boot, volman has made the directory.
  if [ "$(ls -A /run/docker 2>/dev/null)" = plugins ]; then rmdir /run/docker/plugins /run/docker 2>/dev/null || true; fi
}

# Why the data stays, in words, or nothing when no volume is left.
why_keep() {
  if [ -n "$(mounts_below "$mounts")" ]; then
    echo "containers use them"
  elif [ -z "$scope" ]; then
    echo "nobody could say whether there are volumes, for volman did not run when it was removed"
  elif [ "$scope" = global ] && [ "${untold:-1}" != 0 ]; then
    echo "the cluster has not heard of all that happened here"
  elif [ "$scope" != global ] && [ "$volumes" != 0 ]; then
    echo "volumes: $volumes"
  elif [ "$scope" != global ] && [ "$trashed" != 0 ]; then
    echo "volumes in the trash: ${trashed:-perhaps}"
  elif [ -n "$(find "$data" "$data/.trash" -mindepth 1 -maxdepth 1 ! -name .trash ! -name .volman-root 2>/dev/null | head -n 1)" ]; then
    echo "there is something in $data"
  fi
}

# The end of a purge: without a volume nothing stays, with one nothing of it goes.
remove_data_or_tell() {
  reason=$(why_keep)
  if [ -n "$reason" ]; then
    if [ -d "$state" ] || [ -d "$data" ]; then
      echo "volman: the volumes' data in $data and their catalog in $state are left ($reason). To delete both for good:"
      if [ -n "$(mounts_below "$mounts")" ]; then echo "  (first stop the containers, and unmount what is below $mounts)"; fi
      if [ "${data#"$state"/}" != "$data" ]; then echo "  rm -rf --one-file-system $state"; else echo "  rm -rf --one-file-system $data $state"; fi
    fi
    return 0
  fi
  # In a cluster other hosts may use the same directory: its marker is theirs too.
  if [ "$scope" = local ] || [ "$(stat -c %d "$data" 2>/dev/null)" = "$(stat -c %d "$state" 2>/dev/null)" ]; then
    rmdir "$data/.trash" 2>/dev/null || true
    rm -f "$data/.volman-root"
  fi
  rm -f $noted
  find "$mounts" -mindepth 1 -maxdepth 1 -type d -empty -delete 2>/dev/null || true
  find "$state/nfs" -mindepth 1 -maxdepth 1 -type d -empty -delete 2>/dev/null || true
  # Its files are volman's all: without a volume none of them says anything.
  if [ -f "$state/host-id" ]; then find "$state" -mindepth 1 -maxdepth 1 -type f -delete; fi
  for directory in "$data" "$mounts" "$state/nfs" "$state"; do
    [ -d "$directory" ] || continue
    rmdir "$directory" 2>/dev/null || echo "volman: $directory is left, for there is something in it: $(ls -A "$directory" | head -n 3 | tr '\n' ' ')"
  done
  if [ "$state" != /var/lib/volman ]; then rmdir /var/lib/volman 2>/dev/null || true; fi
  exports=/etc/exports.d/volman.exports
  if [ -s $exports ]; then echo "volman: $exports is left, for other hosts may use what it exports. To end that: rm $exports && exportfs -r"; else rm -f $exports; fi
}
