# What Engram needs on a Debian 12 machine, and how it gets there. Sourced by tools/setup. The one list of packages:
# docs/DEPENDENCIES.md says what each is for.
# shellcheck shell=bash
# shellcheck disable=SC2034  # the lists are for tools/setup

PACKAGES_BUILD=(
  g++ cmake ninja-build make ccache pkg-config
  libnghttp2-dev libssl-dev zlib1g-dev libprotobuf-dev protobuf-compiler librocksdb-dev libabsl-dev libboost-dev libhnswlib-dev
  libicu-dev libstemmer-dev libspdlog-dev libfmt-dev libcli11-dev libtomlplusplus-dev libxxhash-dev nlohmann-json3-dev grpc-proto
  prometheus-cpp-dev libjemalloc-dev libc-ares-dev
)
PACKAGES_DEMO=(wordnet-base python3)
PACKAGES_TESTS=(
  libgtest-dev libgmock-dev librapidcheck-dev libbenchmark-dev
  python3 python3-grpcio python3-protobuf protobuf-compiler-grpc libgrpc++-dev nghttp2-client nftables iproute2 strace dnsmasq-base
)
# What `tools/bench wire` and `routing` compare with. Their daemons are not started: see install_without_daemons.
PACKAGES_BENCH=(libgrpc++-dev nghttp2-client nghttp2-proxy haproxy nginx-light openssl valgrind)
PACKAGES_CHECKS=(python3 clang clang-format clang-tidy libclang-rt-14-dev shellcheck spin)
# Only where there is no node yet: other sources' nodejs packages bring their own npm.
PACKAGES_NODE=(nodejs npm ca-certificates)

APT_TRIES=4

as_root() {
  if [[ $(id -u) == 0 ]]; then
    "$@"
  else
    sudo "$@"
  fi
}

apt_get() {
  as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o Dpkg::Use-Pty=0 \
    -o Acquire::Retries=3 -o DPkg::Lock::Timeout=300 "$@"
}

# Of the packages given, those that are not installed, one a line.
missing_packages() {
  local installed
  installed=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' "$@" 2>/dev/null || true)
  printf '%s\n' "$@" | sort -u | grep -vxF -f <(sed -n 's/^installed //p' <<<"$installed") || true
}

# Package lists go stale and mirrors hiccup: each try refreshes the lists first.
install_packages() {
  local missing try
  command -v dpkg-query >/dev/null || die "this is not a Debian machine; install what these packages hold: $*"
  mapfile -t missing < <(missing_packages "$@")
  ((${#missing[@]})) || return 0
  [[ $(id -u) == 0 ]] || command -v sudo >/dev/null ||
    die "not root, and there is no sudo. As root: apt-get install --no-install-recommends ${missing[*]}"
  say "installing ${missing[*]}"
  for ((try = 1; try <= APT_TRIES; try++)); do
    apt_get update || true
    if apt_get install --no-install-recommends "${missing[@]}"; then
      return 0
    fi
    echo "apt-get failed (try $try of $APT_TRIES)" >&2
    ((try == APT_TRIES)) || sleep $((try * 5))
  done
  die "could not install: ${missing[*]}"
}

# For packages that would start a daemon when installed, on ports of its own: Debian asks policy-rc.d first. One that is
# there already is the operator's word and stays.
install_without_daemons() {
  local policy=/usr/sbin/policy-rc.d made=no code=0
  [[ -n $(missing_packages "$@") ]] || return 0
  if [[ ! -e $policy ]]; then
    as_root install -m 755 /dev/stdin "$policy" <<<$'#!/bin/sh\nexit 101'
    made=yes
  fi
  (install_packages "$@") || code=$?
  [[ $made == no ]] || as_root rm -f "$policy"
  return "$code"
}

# The packages of package.json, unless node_modules is newer than it.
install_node_modules() {
  local stamp=node_modules/.engram-installed try
  [[ ! $stamp -ot package.json && -e $stamp ]] && return 0
  say "installing the npm packages of package.json"
  for ((try = 1; try <= APT_TRIES; try++)); do
    if npm install --no-audit --no-fund --loglevel=error; then
      touch "$stamp"
      return 0
    fi
    echo "npm install failed (try $try of $APT_TRIES)" >&2
    ((try == APT_TRIES)) || sleep $((try * 5))
  done
  die "could not install the packages of package.json"
}
