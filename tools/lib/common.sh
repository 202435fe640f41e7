# Shared by the scripts in tools/ and .ci/; sourced, not run. Goes to the top of the repository, so that every script
# works from any directory, and closes standard input, so that nothing ever waits for a person.
# shellcheck shell=bash
# shellcheck disable=SC2034  # the variables are for the scripts that source this
set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cd "$ROOT"
exec </dev/null

JOBS=$(nproc 2>/dev/null || echo 2)

say() { printf '\033[1m==> %s\033[0m\n' "$*"; }

die() {
  printf 'error: %s\n' "$*" >&2
  exit 1
}

# Prints the comment at the top of the running script: it is the script's help.
print_help() {
  sed -n '2,${/^#/!q;s/^# \{0,1\}//;p}' "$ROOT/$1"
}

# usage_error SCRIPT ARGUMENT: ends with the exit code of wrong usage; an empty argument is one that is missing.
usage_error() {
  if [[ -n $2 ]]; then
    printf 'error: unknown argument "%s"\n\n' "$2" >&2
  else
    printf 'error: an argument is needed\n\n' >&2
  fi
  print_help "$1" >&2
  exit 2
}

# phase NAME COMMAND...: runs the command under a title and says how long it took. Not in a condition: `set -e` must hold.
phase() {
  local name=$1 start=$SECONDS
  shift
  say "$name"
  "$@"
  printf '    %s: %d s\n' "$name" $((SECONDS - start))
}

# configure_dev ON|OFF: configures build/ when it never was, or when a preset has changed; anything else the build itself
# notices. OFF leaves out tests and benches, whose packages may not be there; a later ON adds them.
configure_dev() {
  local tests=$1
  if [[ ! -e build/build.ninja || CMakePresets.json -nt build/build.ninja ]] ||
    { [[ $tests == ON ]] && grep -q '^ENGRAM_TESTS:BOOL=OFF' build/CMakeCache.txt; }; then
    cmake --preset dev --log-level=WARNING -DENGRAM_TESTS="$tests" -DENGRAM_BENCHES="$tests"
    touch build/build.ninja
  fi
}
