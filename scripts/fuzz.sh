#!/usr/bin/env bash
# Searches for bytes that a decoder can't bear. What it finds is told with the command that shows it again.
# usage: scripts/fuzz.sh TARGET|all SECONDS     search
#        scripts/fuzz.sh TARGET FILE            read one input again
# The targets are fuzz/targets/*.rs. What was learnt stays in .run/fuzz/TARGET/corpus for the next time.
set -euo pipefail
cd "$(dirname "$0")/.."

target="${1:?say which target: all, or one of $(cd fuzz/targets && echo *.rs | sed 's/\.rs//g')}"
what="${2:?say how many seconds, or which file}"
[ "$target" = all ] || [ -f "fuzz/targets/$target.rs" ] || { echo "scripts/fuzz.sh: no target $target" >&2; exit 2; }

scripts/debian.sh fuzz

# The coverage that libFuzzer steers by, as the stable compiler gives it. --target keeps it away from what only builds.
# The frames are few and the tables small without debug information of the dependencies; lines are enough for a trace.
coverage="-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4"
coverage+=" -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table"
coverage+=" -Cllvm-args=-sanitizer-coverage-trace-compares"
host="$(rustc -vV | sed -n 's/^host: //p')"
built="${CARGO_TARGET_DIR:-$PWD/target/fuzz}"
RUSTFLAGS="$coverage" CARGO_TARGET_DIR="$built" cargo build --quiet --release --locked --target "$host" --manifest-path fuzz/Cargo.toml
binaries="$built/$host/release"

# One file for each line, with the byte before it that the target picks by. Long lines are what no reader needs.
lines() { # FOLDER BYTE FILE...
  local folder="$1" byte="$2"
  shift 2
  LC_ALL=C awk -v folder="$folder" -v byte="$byte" 'length > 0 && length < 8000 && ++lines <= 60 {
    file = folder "/" byte "-" lines "-" NR
    printf "%c%s", byte + 0, $0 > file
    close(file)
  }' "$@"
}

# What every search starts from: our own samples, and the foreign ones where they lie beside the project.
seed() { # TARGET FOLDER
  local target="$1" folder="$2" index=0 mapping pick
  local foreign="${BELFRY_SAMPLES:-../shared/samples}/logs"
  local -a others=()
  [ -d "$foreign" ] && mapfile -t others < <(find "$foreign" -type f)
  mkdir -p "$folder"
  case "$target" in
    records)
      for mapping in mappings/*/; do
        lines "$folder" "$index" "$mapping"samples/*.log
        index=$((index + 1))
      done
      # Any mapping will do: those that share a decoder learn from each other.
      for file in "${others[@]}"; do lines "$folder" "$((index++ % 128 + 128))" "$file"; done ;;
    mappings)
      for mapping in mappings/*/mapping.vrl; do cp "$mapping" "$folder/$(basename "$(dirname "$mapping")")"; done ;;
    syslog)
      for pick in 0 1 16 127; do lines "$folder" "$pick" mappings/{auditd,keeper,pam,sshd,sudo,vault,cef}/samples/*.log; done
      printf '\x0712 <13>a: hello<13>two\n20 <34>1 - h a - - - x\n' > "$folder/counted"
      printf '\x871 open 26 relp_version=0\ncommands=syslog\n2 syslog 8 <13>a: b\n3 close 0\n' > "$folder/relp" ;;
    decoders)
      for pick in $(seq 0 16); do lines "$folder" "$pick" mappings/{cef,cyberark,okta,pam360,senhasegura,windows,postgresql,sshd}/samples/*.log; done
      for file in "${others[@]}"; do lines "$folder" 10 "$file"; done
      for time in 2026-06-30T10:00:00.123+02:00 'Jun 30 10:00:00' '30/Jun/2026:10:00:00 +0200' 1782820800.5 '[Tue Jun 30 10:00:00 2026]'; do
        printf '\x0f%s' "$time" > "$folder/time-${time//\//.}"
      done
      for address in 192.0.2.1:22 '[2001:db8::1]:22' fe80::1%eth0 ::ffff:192.0.2.1 '192.0.2.1(5432)' 192.0.2.1/32; do
        printf '\x10%s' "$address" > "$folder/address-${address//\//.}"
      done ;;
    protocols)
      printf '\x00{"time":1782820800.5,"host":"web1","sourcetype":"s","event":{"a":1},"fields":{"b":[1,"c"]}}\n{"event":"x"} {"event":oops}\n{"event":2}' > "$folder/collector"
      printf '\x01web1\x00a "line"\t' > "$folder/line"
      for pick in 02 03; do
        # A resource with service.name, a scope with its name, a record with a text as body and an attribute.
        printf "\x$pick"'\x0a\x4b\x0a\x17\x0a\x15\x0a\x0cservice.name\x12\x05\x0a\x03web\x12\x30\x0a\x06\x0a\x01s\x12\x01\x31\x12\x26\x09\x00\x00\x00\x00\x00\x00\x00\x18\x10\x09\x1a\x04INFO\x2a\x09\x0a\x07{"a":1}\x32\x08\x0a\x01k\x12\x03\x0a\x01v' > "$folder/otlp-$pick"
      done
      printf '\x04{"create":{"_index":"logs","_id":"7"}}\n{"a":1}\n{"delete":{"_id":"7"}}\n{"index":{}}\n{"index":{}}\n{"b":2}\n' > "$folder/bulk"
      printf '\x05{"specversion":"1.0","id":"1","source":"/door","type":"door.opened","data":{}}' > "$folder/event"
      printf '\x05who:J%%C3%%BCrgen\nseverity:7\x00{"a": 1}' > "$folder/headers" ;;
    filter)
      # What the manual of the language shows between backticks, on an event.
      LC_ALL=C grep -oh '`[^`]*`' docs/filter-language.md crates/event/src/filter/*.rs | tr -d '`' | sort -u | LC_ALL=C awk -v folder="$folder" '{
        printf "%s%c%s", $0, 0, "{\"@timestamp\":\"2026-06-30T10:00:00Z\",\"event\":{\"action\":\"user.login\",\"severity\":73,\"original\":\"{\\\"a\\\":1}\"},\"message\":\"failed login\",\"source\":{\"ip\":\"192.0.2.1\"},\"user\":{\"name\":\"ada\"}}" > (folder "/" NR)
        close(folder "/" NR)
      }' ;;
    entry)
      LC_ALL=C awk -v folder="$folder" 'length > 0 && length < 8000 { print > (folder "/" NR); close(folder "/" NR) }' mappings/*/samples/*.log
      printf '{"@timestamp":"2026-06-30T10:00:00+02:00","event.action":"user.login","event":{"severity":"high","outcome":"failure"},"user.name":"ada","source":{"ip":"::ffff:192.0.2.1","port":22},"labels":{"a":[1,-0.5,null,{"b":1e21}]}}' > "$folder/event" ;;
  esac
}

search() { # TARGET SECONDS
  local target="$1" seconds="$2" here=".run/fuzz/$1"
  rm -rf "$here/seeds"
  mkdir -p "$here/corpus" "$here/found"
  seed "$target" "$here/seeds"
  echo "fuzz: $target for $seconds s, from $(find "$here/seeds" -type f | wc -l) seeds and $(find "$here/corpus" -type f | wc -l) inputs of before" >&2
  # A panic that is caught where it happens ends the process here all the same. An input may take 10 s and a gigabyte.
  if ! "$binaries/$target" "$here/corpus" "$here/seeds" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=1024 \
    -max_len=8192 -dict=fuzz/words.dict -artifact_prefix="$here/found/" -print_final_stats=1 > "$here/log" 2>&1; then
    grep -aE 'panicked at|ERROR: libFuzzer|^Test unit written' -A 3 "$here/log" >&2 || tail -n 20 "$here/log" >&2
    for file in $(sed -n 's/.*Test unit written to //p' "$here/log"); do
      echo "fuzz: again by: scripts/fuzz.sh $target $file" >&2
    done
    return 1
  fi
  sed -n 's/^stat::number_of_executed_units: */fuzz: executions: /p; s/^stat::peak_rss_mb: */fuzz: megabytes at most: /p' "$here/log" >&2
}

if [ -f "$what" ]; then
  exec "$binaries/$target" "$what"
elif [ "$target" = all ]; then
  failed=0
  for file in fuzz/targets/*.rs; do
    search "$(basename "$file" .rs)" "$what" || failed=1
  done
  exit $failed
else
  search "$target" "$what"
fi
