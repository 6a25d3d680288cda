#!/usr/bin/env bash
# How things grow with the trail: the same server, fed in steps; after each step the same questions.
# usage: scripts/growth.sh [MILLIONS …]     1 5 10 20 when absent
set -euo pipefail
cd "$(dirname "$0")/.."
steps=("${@:-1}")
[ $# -gt 0 ] || steps=(1 5 10 20)
belfry=$PWD/target/release/belfry
bench=$PWD/target/release/examples/load
work=$(mktemp -d "${BENCH_DIR:-$PWD/target}/growth.XXXXXX")
server=
finish() {
  [ -z "$server" ] || kill "$server" 2>/dev/null || true
  wait 2>/dev/null || true
  rm -rf "$work"
}
trap finish EXIT
data=$work/belfry
token=$(echo 'bench password 4711' | "$belfry" init --data "$data" --admin admin 2>&1 | grep -o 'blf_[A-Za-z0-9_-]*' | head -1)
export BELFRY_URL=http://127.0.0.1:7411 BELFRY_TOKEN=$token
start() {
  began=$(date +%s%N)
  "$belfry" serve --data "$data" --listen 127.0.0.1:7411 >"$work/belfry.log" 2>&1 &
  server=$!
  until curl -fs "$BELFRY_URL/readyz" >/dev/null; do sleep 0.01; done
  printf '{"step": "start", "ready_ms": %d}\n' $((($(date +%s%N) - began) / 1000000))
}
start
have=0
for millions in "${steps[@]}"; do
  printf '# %s million\n' "$millions"
  # Never more than five million at once: the client holds what it sends in memory.
  while [ "$have" -lt "$millions" ]; do
    more=$((millions - have > 5 ? 5 : millions - have))
    "$bench" ingest "$server" $((more * 1000000))
    have=$((have + more))
  done
  "$bench" search
  python3 - "$data" "$have" "$server" <<'PY'
import json, os, sys
def size(folder):
    return sum(os.stat(os.path.join(root, name)).st_blocks * 512 for root, _, names in os.walk(folder) for name in names)
data, events, process = sys.argv[1], int(sys.argv[2]) * 10**6, sys.argv[3]
memory = {line.split(":")[0]: int(line.split()[1]) // 1024 for line in open(f"/proc/{process}/status") if line.startswith(("VmHWM", "VmRSS", "RssAnon"))}
print(json.dumps({"step": "size", "bytes_per_event": {name: round(size(os.path.join(data, name)) / events, 1) for name in ("trails", "index")}, "memory_mb": memory}))
PY
  kill -TERM "$server"; wait "$server" || true; server=
  began=$(date +%s%N)
  "$belfry" verify "$data" >/dev/null
  printf '{"step": "verify", "events_per_s": %d}\n' $((have * 1000000 * 1000000000 / ($(date +%s%N) - began)))
  start
done
