#!/usr/bin/env bash
# The figures of docs/performance.md: Belfry beside PostgreSQL, one after the other on the same machine, in one run.
# usage: scripts/bench.sh [EVENTS]     1,000,000 when absent
set -euo pipefail
cd "$(dirname "$0")/.."
events=${1:-1000000}
belfry=$PWD/target/release/belfry
cargo build --release --workspace --quiet --bins --examples
bench=$PWD/target/release/examples/load

work=$(mktemp -d "${BENCH_DIR:-$PWD/target}/bench.XXXXXX")
chmod 755 "$work"
server=
postgres=
finish() {
  [ -z "$server" ] || kill "$server" 2>/dev/null || true
  [ -z "$postgres" ] || stop_postgres
  wait 2>/dev/null || true
  rm -rf "$work"
}
trap finish EXIT
say() { printf '%s\n' "$*"; }

say "# machine"
nproc | sed 's/^/cores: /'
grep -m1 'model name' /proc/cpuinfo | sed 's/.*: /cpu: /'
say "disk sync of 4 KiB, microseconds:"
python3 - "$work" <<'PY'
import os, sys, time
path = os.path.join(sys.argv[1], "sync")
handle = os.open(path, os.O_CREAT | os.O_WRONLY)
times = []
for _ in range(200):
    os.write(handle, b"x" * 4096)
    began = time.perf_counter()
    os.fdatasync(handle)
    times.append((time.perf_counter() - began) * 1e6)
times.sort()
print(f"  median {times[100]:.0f}, 95 % below {times[190]:.0f}")
PY

say "# PostgreSQL"
bin=$(ls -d /usr/lib/postgresql/*/bin | sort -V | tail -1)
as=()
if [ "$(id -u)" -eq 0 ]; then as=(runuser -u postgres --); fi
pg=$work/pg
mkdir "$pg" && { [ "$(id -u)" -ne 0 ] || chown postgres "$pg"; }
"${as[@]}" "$bin/initdb" -D "$pg/data" -A trust >/dev/null
start_postgres() {
  "${as[@]}" "$bin/postgres" -D "$pg/data" -k "$pg" -c listen_addresses= -c synchronous_commit=on -c shared_buffers=1GB \
    -c max_wal_size=8GB -c checkpoint_timeout=30min >"$work/pg.log" 2>&1 &
  postgres=$!
  for _ in $(seq 100); do "$bin/psql" -h "$pg" -U postgres -qAtc 'select 1' >/dev/null 2>&1 && return; sleep 0.1; done
  cat "$work/pg.log" >&2; exit 1
}
# The server stands behind the command that changed the user; signals don't reach it through that.
stop_postgres() {
  "${as[@]}" "$bin/pg_ctl" -D "$pg/data" -m fast -w stop >/dev/null 2>&1 || true
  wait "$postgres" 2>/dev/null || true
  postgres=
}
table='SET client_min_messages = warning; DROP TABLE IF EXISTS audit; CREATE TABLE audit (time timestamptz, action text, id text, outcome text, severity smallint, "user" text,
  email text, address inet, port int, host text, entity_id text, entity text, session text, message text);
  CREATE INDEX ON audit (time); CREATE INDEX ON audit (action, time); CREATE INDEX ON audit ("user", time); CREATE INDEX ON audit (host, time);
  CREATE INDEX ON audit USING gin (to_tsvector($$simple$$, message))'
psql() { "$bin/psql" -h "$pg" -U postgres -qAt "$@"; }
# The CPU time of every process of this server, those that have ended included.
cpu_of_postgres() {
  python3 - "$postgres" <<'PY'
import os, sys
top = int(sys.argv[1])
def fields(pid):
    return open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()
children = {}
for name in filter(str.isdigit, os.listdir("/proc")):
    try: children.setdefault(int(fields(name)[1]), []).append(int(name))
    except OSError: pass
def total(pid):
    f = fields(pid)
    return sum(map(int, f[11:15])) + sum(total(child) for child in children.get(pid, []))
print(total(top) / os.sysconf("SC_CLK_TCK"))
PY
}
for kind in copy insert; do
  "$bench" rows "$work/$kind" "$events" "$kind" >/dev/null
  start_postgres
  psql -c "$table"
  before=$(cpu_of_postgres); began=$(date +%s.%N)
  pids=()
  for lane in 0 1 2 3; do psql -f "$work/$kind.$lane.sql" & pids+=($!); done
  wait "${pids[@]}"
  ended=$(date +%s.%N)
  psql -c 'CHECKPOINT'
  after=$(cpu_of_postgres)
  size=$(psql -c "select pg_total_relation_size('audit')")
  rows=$(psql -c 'select count(*) from audit')
  python3 - "$kind" "$began" "$ended" "$before" "$after" "$size" "$rows" <<'PY'
import json, sys
kind, began, ended, before, after, size, rows = sys.argv[1:]
rows, seconds = int(rows), float(ended) - float(began)
print(json.dumps({"step": f"postgresql {kind}", "rows": rows, "per_s": round(rows / seconds),
                  "cpu_s_per_million": round((float(after) - float(before)) / rows * 1e6, 1), "bytes_per_row": round(int(size) / rows)}))
PY
  stop_postgres
  rm -f "$work/$kind".*.sql
done

# One row a transaction, 32 clients: what a sender gets that wants every single event on disk.
start_postgres
psql -c "$table"
cat >"$work/single.sql" <<'SQL'
INSERT INTO audit VALUES (now(), 'password.viewed', md5(random()::text), 'success', 10, 'ada.moreau' || (random() * 5000)::int, 'ada@example.com',
  '10.1.2.3', 4711, 'host-' || (random() * 20000)::int, md5(random()::text), 'password ada 1', md5(random()::text), 'ada.moreau viewed password ada 1 on host-1 after review of request 1');
SQL
"$bin/pgbench" -h "$pg" -U postgres -n -c 32 -j 2 -T 10 -f "$work/single.sql" postgres 2>/dev/null |
  awk '/^tps/ { printf "{\"step\": \"postgresql single\", \"connections\": 32, \"per_s\": %d}\n", $3 }'
stop_postgres

say "# rsyslog"
"$bench" lines "$work/messages" 50000 >/dev/null
if command -v rsyslogd >/dev/null; then
  cat >"$work/rsyslog.conf" <<CONF
module(load="imtcp")
input(type="imtcp" port="7412" address="127.0.0.1")
action(type="omfile" file="$work/rsyslog.out" sync="on" asyncWriting="off" flushOnTXEnd="on")
CONF
  rsyslogd -n -f "$work/rsyslog.conf" -i "$work/rsyslog.pid" 2>/dev/null &
  rsyslog=$!
  sleep 1
  python3 - "$work" <<'PY'
import json, os, socket, sys, time
work, wanted = sys.argv[1], 50000
data = open(os.path.join(work, "messages"), "rb").read()
out = os.path.join(work, "rsyslog.out")
began = time.perf_counter()
with socket.create_connection(("127.0.0.1", 7412)) as connection:
    connection.sendall(data)
seen, at = 0, 0
while seen < wanted and time.perf_counter() - began < 300:
    time.sleep(0.02)
    if os.path.exists(out):
        with open(out, "rb") as file:
            file.seek(at); piece = file.read(); at += len(piece); seen += piece.count(b"\n")
print(json.dumps({"step": "rsyslog sync=on", "events": seen, "per_s": round(seen / (time.perf_counter() - began))}))
PY
  kill "$rsyslog" 2>/dev/null || true
  wait "$rsyslog" 2>/dev/null || true
fi

say "# Belfry"
data=$work/belfry
token=$(echo 'bench password 4711' | "$belfry" init --data "$data" --admin admin 2>&1 | grep -o 'blf_[A-Za-z0-9_-]*' | head -1)
"$belfry" serve --data "$data" --listen 127.0.0.1:7411 --syslog-tcp 127.0.0.1:7413 >"$work/belfry.log" 2>&1 &
server=$!
export BELFRY_URL=http://127.0.0.1:7411 BELFRY_TOKEN=$token
for _ in $(seq 100); do curl -fs "$BELFRY_URL/readyz" >/dev/null && break; sleep 0.1; done
"$bench" ingest "$server" "$events"
python3 - "$data" "$events" <<'PY'
import json, os, sys
def size(folder):
    return sum(os.stat(os.path.join(root, name)).st_blocks * 512 for root, _, names in os.walk(folder) for name in names)
data, events = sys.argv[1], int(sys.argv[2])
print(json.dumps({"step": "disk", "bytes_per_event": {name: round(size(os.path.join(data, name)) / events, 1) for name in ("trails", "index")}}))
PY
"$bench" search
"$bench" export
"$bench" webhook 300
"$bench" single "$server" 20000
"$bench" syslog 127.0.0.1:7413 50000
kill -TERM "$server"; wait "$server" || true; server=
began=$(date +%s.%N)
"$belfry" verify "$data" >/dev/null
ended=$(date +%s.%N)
python3 -c "import json; print(json.dumps({'step': 'verify', 'events_per_s': round(($events + 70300) / ($ended - $began))}))"
