#!/usr/bin/env bash
# The fault tests of the trail with seeds that were never used before, for SOAK_SECONDS (600) or until stopped.
# What fails is printed with the seeds that make it fail again.
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${SOAK_SECONDS:-600}
log=$(mktemp)
trap 'rm -f "$log"' EXIT
# The workspace, though only one crate is meant: with another selection cargo builds the dependencies again.
tests=(cargo test --profile quick --workspace --test crash --test removal --test kill --no-run)
"${tests[@]}"
binary() {
  "${tests[@]}" --message-format json 2>/dev/null |
    sed -n "s/.*\"name\":\"$1\".*\"src_path\":\"[^\"]*crates\/trail\/tests\/$1\.rs\".*\"executable\":\"\([^\"]*\)\".*/\1/p"
}
crash=$(binary crash) removal=$(binary removal) kill=$(binary kill)
run() { # what, binary, name and value of the variable with its seeds
  if ! env "$3=$4" RUST_BACKTRACE=1 "$2" >"$log" 2>&1; then
    cat "$log"
    echo "soak: $1 failed after $rounds rounds; again with: $3=$4 cargo test --profile quick -p trail --test $1"
    exit 1
  fi
}
rounds=0 begun=$SECONDS
while ((SECONDS - begun < seconds)); do
  # Below 2^40, so that the end of a range is never beyond what fits.
  seed=$(od -An -N5 -tu8 /dev/urandom | tr -d ' ')
  run crash "$crash" BELFRY_SEEDS "$seed..$((seed + 100))"
  run removal "$removal" BELFRY_SEEDS "$((seed % 1000000000))..$((seed % 1000000000 + 1))"
  run kill "$kill" BELFRY_SEED "$seed"
  rounds=$((rounds + 1))
  echo "soak: round $rounds with seeds $seed..$((seed + 100)) is right, $((SECONDS - begun)) s"
done
