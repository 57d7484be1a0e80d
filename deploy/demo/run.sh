#!/usr/bin/env bash
# Stoa on one machine, for the first five minutes: two Prometheus replicas scrape this machine; a
# sidecar beside each ships every finished block as Parquet into a bucket (a folder) and serves the
# last minutes; a store serves the bucket; a querier answers PromQL over all three. Each is a process
# of its own, as in a cluster.
#
#   make demo                 until ctrl-c
#   make demo DURATION=120    ends by itself, 120 s after it is ready; exit code 0 only with an answer
#   make demo PORT=20902      answers on another port than 10902
#
# Everything lies in $STOA_CACHE/demo (default ~/.cache/stoa/demo); what an earlier run has left is
# gone on with. No service is installed or touched.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

port=${PORT:-10902}
duration=${DURATION:-0}
cache=${STOA_CACHE:-$HOME/.cache/stoa}
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$cache/target}
demo=$cache/demo
programs=$demo/programs
logs=$demo/logs
stoa=$CARGO_TARGET_DIR/debug/stoa
replicas=(a b)
# What a build from nothing takes, in CPU-minutes.
build_cpu_minutes=12

started=() # processes to end, last first
onlooker=  # the process of stoa demo
building=  # the process group of cargo

say() { printf '%s\n' "$*"; }
fail() {
  printf 'make demo: %s\n' "$*" >&2
  exit 1
}

end_all() {
  local status=$?
  trap '' INT TERM HUP
  [ -z "$building" ] || kill -TERM -- "-$building" 2>/dev/null || true
  local at
  for ((at = ${#started[@]} - 1; at >= 0; at--)); do
    kill -TERM "${started[at]}" 2>/dev/null || true
  done
  [ "${#started[@]}" = 0 ] || wait "${started[@]}" 2>/dev/null || true
  if [ "${#started[@]}" -gt 0 ]; then
    say "Ended. Blocks and logs stay in $demo; the next run goes on with them."
  fi
  exit "$status"
}
interrupted() {
  if [ -n "$onlooker" ]; then
    kill -TERM "$onlooker" 2>/dev/null || true
    wait "$onlooker" && exit 0 || exit $?
  fi
  exit "$1"
}
trap end_all EXIT
trap 'interrupted 130' INT
trap 'interrupted 143' TERM HUP

# Runs "$@" in the background, out of reach of the terminal's ctrl-c, so that things end in order; its
# id is in $!. Should this script be killed, the process is told to end too.
background() { setsid setpriv --pdeathsig TERM "$@" </dev/null & }

# Whether anything listens on port $1.
taken() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# The first free port from $1 on.
free_port() {
  local candidate
  for ((candidate = $1; candidate < $1 + 50; candidate++)); do
    taken "$candidate" || { say "$candidate" && return; }
  done
  fail "ports $1 to $((candidate - 1)) are taken"
}

# Whether port $1 answers path $2 with code 200.
answers() {
  local line
  {
    exec 3<>"/dev/tcp/127.0.0.1/$1" && printf 'GET %s HTTP/1.0\r\n\r\n' "$2" >&3 && read -r line <&3
  } 2>/dev/null && [[ $line == *" 200 "* ]]
}

# Waits until the server $1, process $2, answers on port $3.
await() {
  local tries
  for ((tries = 0; tries < 300; tries++)); do
    kill -0 "$2" 2>/dev/null || fail "$1 ended: $(tail -n 1 "$logs/$1.log")"
    if answers "$3" "$4"; then return; fi
    sleep 0.2
  done
  fail "$1 is not ready after a minute; its log is $logs/$1.log"
}

# --- programs ---------------------------------------------------------------------------------------

# Runs apt-get on package lists of its own: works without root, and without `apt-get update` before.
own_apt() {
  local state=$demo/apt
  mkdir -p "$state/lists/partial" "$state/archives/partial"
  apt-get -q -o Dir::State="$state" -o Dir::State::status=/var/lib/dpkg/status \
    -o Dir::Cache="$state" -o APT::Sandbox::User= "$@"
}

# Unpacks Debian's package $1 into $programs/$1: its program runs from there, its service is not known
# to the machine.
unpack() {
  command -v apt-get dpkg-deb >/dev/null ||
    fail "$1 is missing, and so is apt-get to get it with: install $1 and put it on PATH"
  say "  downloading Debian's package $1 (unpacked, not installed)"
  local work=$demo/unpacking log=$logs/apt.log
  rm -rf "$work"
  mkdir -p "$work/deb"
  (
    cd "$work/deb"
    apt-get -q download "$1" || { own_apt update && own_apt download "$1"; }
  ) >"$log" 2>&1 || fail "Debian's package $1 cannot be had: $(grep -E '^(E|Err)' "$log" | tail -n 1)"
  dpkg-deb -x "$work/deb"/*.deb "$work/$1"
  rm -rf "${programs:?}/$1"
  mkdir -p "$programs"
  mv "$work/$1" "$programs/$1"
  rm -rf "$work"
}

# Sets program to the path of Debian's program $1.
find_program() {
  program=$(command -v "$1" || true)
  [ -z "$program" ] || return 0
  program=$programs/$1/usr/bin/$1
  [ -x "$program" ] || unpack "$1"
}

# A C compiler and linker, which Rust needs and only root can install.
find_compiler() {
  command -v cc >/dev/null && return
  local as_root=()
  [ "$(id -u)" = 0 ] || as_root=(sudo -n)
  command -v apt-get >/dev/null || fail "cc is missing: install a C compiler"
  say "  installing Debian's build-essential (cc is missing)"
  {
    "${as_root[@]}" apt-get update -q &&
      DEBIAN_FRONTEND=noninteractive "${as_root[@]}" apt-get install -q -y --no-install-recommends build-essential
  } >"$logs/apt.log" 2>&1 ||
    fail "cc is missing, and only root can install it: apt-get install build-essential"
}

# --- steps ------------------------------------------------------------------------------------------

check() {
  [[ $duration =~ ^[0-9]+$ ]] || fail "DURATION is a number of seconds, not '$duration'"
  [[ $port =~ ^[0-9]+$ ]] && ((port > 0 && port < 65536)) || fail "PORT is a port, not '$port'"
  local program
  for program in setsid setpriv flock; do
    command -v "$program" >/dev/null || fail "$program is missing: install util-linux"
  done
  command -v cargo >/dev/null || fail "cargo is missing: install Rust from https://rustup.rs"
  mkdir -p "$demo/bucket" "$logs" 2>/dev/null || fail "$demo cannot be written"
  # Its processes hold the lock too: what ends is waited for, what runs is left alone.
  exec 9>"$demo/lock"
  flock -w 10 9 || fail "another demo is running on $demo"
  if taken "$port"; then fail "port $port is taken: end what listens there, or choose another: make demo PORT=20902"; fi
}

get_programs() {
  say "[1/4] Programs"
  find_program prometheus-node-exporter
  exporter=$program
  find_program prometheus
  prometheus=$program
  find_compiler
  say "  $prometheus"
  say "  $exporter"
}

# The configuration of replica $1. Both scrape the same targets, as in a highly available set-up.
configuration() {
  cat <<YAML
global:
  scrape_interval: 5s
  external_labels: {cluster: demo, replica: $1}
scrape_configs:
  - job_name: node
    static_configs: [{targets: ['127.0.0.1:$exporter_port'], labels: {instance: this-machine}}]
  - job_name: prometheus
    static_configs:
      - {targets: ['127.0.0.1:${ports[0]}'], labels: {instance: ${replicas[0]}}}
      - {targets: ['127.0.0.1:${ports[1]}'], labels: {instance: ${replicas[1]}}}
  - job_name: stoa
    static_configs:
      - {targets: ['127.0.0.1:${sidecar_http[0]}'], labels: {instance: sidecar-${replicas[0]}}}
      - {targets: ['127.0.0.1:${sidecar_http[1]}'], labels: {instance: sidecar-${replicas[1]}}}
      - {targets: ['127.0.0.1:$store_http'], labels: {instance: store}}
      - {targets: ['127.0.0.1:$port'], labels: {instance: query}}
YAML
}

# Ports for all that is started, the querier's HTTP excepted, which is $port.
choose_ports() {
  exporter_port=$(free_port 19100)
  ports=("$(free_port 19091)")
  ports+=("$(free_port $((ports[0] + 1)))")
  sidecar_http=("$(free_port 19201)")
  sidecar_http+=("$(free_port $((sidecar_http[0] + 1)))")
  store_http=$(free_port $((sidecar_http[1] + 1)))
  sidecar_grpc=("$(free_port 19301)")
  sidecar_grpc+=("$(free_port $((sidecar_grpc[0] + 1)))")
  store_grpc=$(free_port $((sidecar_grpc[1] + 1)))
}

start_prometheus() {
  say "[2/4] Two Prometheus replicas; they scrape from now on, while Stoa is built"
  choose_ports
  background "$exporter" --web.listen-address="127.0.0.1:$exporter_port" >"$logs/exporter.log" 2>&1
  started+=("$!")
  await exporter "$!" "$exporter_port" /metrics
  say "  this machine's metrics: http://127.0.0.1:$exporter_port/metrics"
  began=$(date +%s)
  local at
  for at in 0 1; do
    local name=${replicas[at]}
    mkdir -p "$demo/$name"
    configuration "$name" >"$demo/$name.yml"
    # Blocks of a minute instead of two hours: the first is there soon. Prometheus must not compact
    # them; that is the business of the bucket.
    background "$prometheus" --config.file="$demo/$name.yml" --storage.tsdb.path="$demo/$name" \
      --storage.tsdb.min-block-duration=1m --storage.tsdb.max-block-duration=1m \
      --storage.tsdb.retention.time=1h --web.listen-address="127.0.0.1:${ports[at]}" \
      >"$logs/prometheus-$name.log" 2>&1
    started+=("$!")
    await "prometheus-$name" "$!" "${ports[at]}" /-/ready
    say "  replica $name: http://127.0.0.1:${ports[at]}/api/v1/targets  {cluster=\"demo\", replica=\"$name\"}"
  done
}

build() {
  local cores minutes
  cores=$(nproc)
  minutes=$(((build_cpu_minutes + cores - 1) / cores + 1))
  if [ -x "$stoa" ]; then
    say "[3/4] Building what has changed since the last build (from nothing: about $minutes minutes on $cores cores)"
  else
    say "[3/4] Building Stoa and all that it is made of: about $minutes minutes on $cores cores, once"
  fi
  background cargo build --locked --package stoa --bin stoa 9>&-
  building=$!
  wait "$building" || fail "Stoa does not build"
  building=
}

# Starts the role $2 of Stoa with the flags after $3; its log is called $1, its HTTP port is $3.
start_role() {
  local name=$1 role=$2 http=$3
  shift 3
  background "$stoa" "$role" "$@" --http-address "127.0.0.1:$http" --http-grace-period 2s \
    --grpc-grace-period 2s >"$logs/$name.log" 2>&1
  started+=("$!")
  await "$name" "$!" "$http" /-/ready
  say "  $name: http://127.0.0.1:$http"
}

start_stoa() {
  say "[4/4] Stoa: two sidecars ship into $demo/bucket, a store serves it, a querier asks all three"
  local at endpoints=() objstore="{type: FILESYSTEM, config: {directory: '${demo//\'/\'\'}/bucket'}}"
  for at in 0 1; do
    start_role "sidecar-${replicas[at]}" sidecar "${sidecar_http[at]}" \
      --prometheus.url "http://127.0.0.1:${ports[at]}" --tsdb.path "$demo/${replicas[at]}" \
      --objstore.config "$objstore" --grpc-address "127.0.0.1:${sidecar_grpc[at]}"
    endpoints+=(--endpoint "127.0.0.1:${sidecar_grpc[at]}")
  done
  start_role store store "$store_http" --objstore.config "$objstore" --sync-block-duration 2s \
    --grpc-address "127.0.0.1:$store_grpc"
  start_role query query "$port" --query.replica-label replica "${endpoints[@]}" \
    --endpoint "127.0.0.1:$store_grpc" --grpc-address 127.0.0.1:0
}

look_on() {
  background "$stoa" demo --log.level warn --query.url "http://127.0.0.1:$port" \
    --store.url "http://127.0.0.1:$store_http" --replica "${replicas[0]}" --replica "${replicas[1]}" \
    --since "$began" --duration "${duration}s"
  onlooker=$!
  started+=("$onlooker")
  wait "$onlooker" || fail "stoa demo has ended with code $?; the logs of all processes are in $logs"
}

check
get_programs
start_prometheus
build
start_stoa
look_on
