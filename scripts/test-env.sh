#!/usr/bin/env bash
# Makes target/test-venv: the Python receivers and clients of the tests; and target/witness-venv: a witness that is not
# our code. Does nothing when they are there and fit.
set -euo pipefail
cd "$(dirname "$0")/.."

# usage: venv FOLDER REQUIREMENTS [PIP-OPTIONS…]
venv() {
    local folder=$1 wanted=$2
    shift 2
    if [[ -f $folder/requirements.txt ]] && cmp -s "$wanted" "$folder/requirements.txt"; then
        return 0
    fi
    mkdir -p target
    python3 -m venv "$folder"
    "$folder/bin/pip" install --quiet --disable-pip-version-check "$@" -r "$wanted" || return 1
    # Last, so that a broken installation is made again.
    cp "$wanted" "$folder/requirements.txt"
}

venv target/test-venv tests/requirements.txt
# It asks for Python 3.12, and does what we need of it with 3.11 as well. The tests skip what needs it when it is missing.
venv target/witness-venv tests/requirements-witness.txt --ignore-requires-python ||
    echo "scripts/test-env.sh: no witness; the tests that need one are skipped" >&2
