#!/bin/sh
# Starts the executable that `genrec build` makes in a minimal Debian: no Deno, no Node, no file of the repository.
#
#   bench/release/chroot.sh FILE [ROOT]     ROOT: such a system, which is taken as it is; else debootstrap makes one
#
# Needs root, and without ROOT debootstrap and a network. What needs no adapter runs first, as there is none. Then
# mesa-vulkan-drivers are installed, unless they are there, and a model is made, evaluated and served.
set -eu

file=${1:?"chroot.sh: name the executable that \`./genrec build\` made"}
[ -f "$file" ] || { echo "chroot.sh: there is no file $file" >&2; exit 2; }
made=
if [ $# -gt 1 ]; then
  root=$2
else
  made=$(mktemp -d)
  root=$made
  debootstrap --variant=minbase --include=ca-certificates "${DEBIAN:-bookworm}" "$root" >"$root.log" 2>&1 ||
    { tail -n 3 "$root.log" >&2; exit 1; }
fi
server=
leave() {
  if [ -n "$server" ]; then
    kill "$server" 2>/dev/null && wait "$server" || true
  fi
  umount "$root/proc" 2>/dev/null || true
  [ -z "$made" ] || rm -rf "$made" "$made.log"
}
trap leave EXIT
trap 'exit 130' INT TERM

inside() { chroot "$root" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root NO_COLOR=1 "$@"; }
genrec() { inside /bin/sh -c "$start" genrec "$@"; }
start='cd /root/work && exec /root/genrec "$@"'
# Prints what was asked, and fails unless the output holds a text.
check() { # $1: text, then the command
  text=$1
  shift
  said=$(genrec "$@" 2>&1) || { printf '%s\n' "$said" >&2; echo "FAILED: genrec $*" >&2; exit 1; }
  case $said in
    *"$text"*) echo "ok: genrec $*" ;;
    *) printf '%s\n' "$said" >&2; echo "FAILED: genrec $* does not say: $text" >&2; exit 1 ;;
  esac
}

for program in deno node npm; do
  if inside /bin/sh -c "command -v $program" >/dev/null; then
    echo "chroot.sh: $root has $program already, which would prove nothing" >&2
    exit 1
  fi
done
mount -t proc proc "$root/proc"
rm -rf "$root/root/work" "$root/root/.cache/genrec"
mkdir -p "$root/root/work"
install -m 755 "$file" "$root/root/genrec"

check "genrec " --version
check "Usage: genrec <task>" --help
check "dataset.json in shop" convert --from synthetic --to genrec --out shop
if [ ! -e "$root/usr/share/vulkan/icd.d/lvp_icd.x86_64.json" ]; then
  if genrec doctor >"$root/root/work/doctor" 2>&1 || ! grep -q mesa-vulkan-drivers "$root/root/work/doctor"; then
    cat "$root/root/work/doctor" >&2
    echo "FAILED: genrec doctor does not name mesa-vulkan-drivers" >&2
    exit 1
  fi
  echo "ok: genrec doctor names the driver that is missing"
  cp /etc/resolv.conf "$root/etc/resolv.conf"
  chroot "$root" apt-get -q update >"$root/root/work/apt" 2>&1 &&
    chroot "$root" apt-get -qy --no-install-recommends install mesa-vulkan-drivers libvulkan1 \
      >>"$root/root/work/apt" 2>&1 || { tail -n 3 "$root/root/work/apt" >&2; exit 1; }
fi
check "Ready." doctor
check "600 different SIDs" sid --data synthetic --codebook-size 32 --starts 1 --iterations 4 --out sids
check "Finished after 2 steps" sft --data synthetic --sids sids --out run --max-steps 2 --hidden-size 32 \
  --num-hidden-layers 1 --eval-samples 0
check "test, 20 users" evaluate --run run --data synthetic --beams 10 --limit 20 --out eval

# Not through a function, so that the process is the server itself.
chroot "$root" /usr/bin/env -i PATH=/usr/bin:/bin HOME=/root NO_COLOR=1 /bin/sh -c "$start" genrec \
  serve --run run --data synthetic --port 8931 >"$root/root/work/serve" 2>&1 &
server=$!
tries=0
until curl -fsS http://127.0.0.1:8931/readyz >/dev/null 2>&1; do
  tries=$((tries + 1))
  [ "$tries" -lt 60 ] || { cat "$root/root/work/serve" >&2; echo "FAILED: genrec serve is not ready" >&2; exit 1; }
  sleep 1
done
answer=$(curl -fsS http://127.0.0.1:8931/recommend -H 'content-type: application/json' \
  -d '{"history": [12, 45, 77], "top": 3}')
case $answer in
  *'"item"'*) echo "ok: genrec serve answers" ;;
  *) echo "FAILED: genrec serve answers $answer" >&2; exit 1 ;;
esac
kill "$server"
wait "$server" || { cat "$root/root/work/serve" >&2; echo "FAILED: genrec serve ends with an error" >&2; exit 1; }
server=
echo "ok: genrec serve ends where it is told to"
