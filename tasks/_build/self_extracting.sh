#!/bin/sh
# genrec @VERSION@ in one file: unpacks itself once into the user's cache, then runs.
set -eu
id=@ID@ sum=@SUM@ size=@SIZE@ offset=@OFFSET@

fail() {
  printf 'genrec: %s\n' "$*" >&2
  exit 1
}
case $0 in
  */*) self=$0 ;;
  *) self=$(command -v -- "$0") ;;
esac
# Whether a folder is this user's or root's, and no link; -O is in all shells that are installed as sh. `ls -ldn` begins
# with its mode, links and owner; `find` is not everywhere.
# shellcheck disable=SC3067
is_ours() { [ -d "$1" ] && [ ! -L "$1" ] && { [ -O "$1" ] || is_of_root $(ls -ldn "$1"); }; }
is_of_root() { [ "${3:-}" = 0 ]; }

# Whether the mode of a folder lets others write to it, or its group.
anybody_writes() { case $(ls -ldn "$1") in ????????w*) true ;; *) false ;; esac; }
group_writes() { case $(ls -ldn "$1") in ?????w*) true ;; *) false ;; esac; }

if [ -z "${HOME:-}" ] || ! [ -w "$HOME" ]; then
  HOME=${TMPDIR:-/tmp}/genrec-$(id -u)
  # One that somebody else made, in a place where anybody can, may hold programs of theirs.
  if ! mkdir -m 700 "$HOME" 2>/dev/null; then
    [ -e "$HOME" ] || fail "cannot write to a home or to $HOME. Set HOME to a folder that can be written"
    is_ours "$HOME" && ! anybody_writes "$HOME" && ! group_writes "$HOME" ||
      fail "cannot use $HOME: it belongs to somebody else, or others can write to it. Remove it, or set HOME to a folder of yours"
  fi
  export HOME
fi
cache=${GENREC_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/genrec}
if [ -d "$cache" ]; then
  real_cache=$(CDPATH='' cd "$cache" && pwd -P)
  is_ours "$real_cache" && ! anybody_writes "$real_cache" ||
    fail "cannot use $cache: it belongs to somebody else, or anybody can write to it. Set GENREC_CACHE to a folder of yours"
fi
app=$cache/app/$id

ready() { [ -x "$app/deno" ] && [ -f "$app/tasks/main.js" ]; }
# A half-cleaned cache. Looks for the link first: one that appears meanwhile is another process's good one.
if [ -L "$app" ] && ! ready; then rm -f "$app"; fi
if ! ready; then
  mkdir -p "$cache/app" 2>/dev/null || fail "cannot write to $cache. Set GENREC_CACHE to a folder that can be written"
  new=$app.$$
  trap 'rm -rf "$new"' EXIT
  trap 'exit 130' INT TERM
  rm -rf "$new"
  mkdir "$new"
  tail -c "+$offset" <"$self" >"$new/payload" || fail "cannot copy to $cache: is the disk full? 200 MB are needed"
  if command -v sha256sum >/dev/null 2>&1; then
    found=$(sha256sum <"$new/payload")
  else
    found=$(shasum -a 256 <"$new/payload")
  fi
  if [ "${found%% *}" != "$sum" ]; then
    fail "$self is damaged: $(wc -c <"$new/payload") bytes with sha256 ${found%% *}, should be $size with $sum. Copy it again"
  fi
  (cd "$new" && gzip -dc <payload | tar -xf - && [ -f tasks/main.js ] && rm payload) ||
    fail "cannot unpack into $cache: is the disk full? 200 MB are needed"
  # A link is made in one step, by one of two that start at once; the loser takes the winner's copy.
  if ln -sn "${new##*/}" "$app" 2>/dev/null; then
    trap - EXIT INT TERM
  else
    rm -rf "$new"
    ready || fail "cannot use $app. Remove it and start again"
  fi
fi

if [ -z "${XDG_RUNTIME_DIR:-}" ] && mkdir -p "$cache/run" && chmod 700 "$cache/run"; then
  export XDG_RUNTIME_DIR="$cache/run"
fi
exec "$app/deno" run -A --no-prompt --no-config --no-lock --unstable-no-legacy-abort "$app/tasks/main.js" "$@"
# The payload follows.
