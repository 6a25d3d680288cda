#!/usr/bin/env bash
# Makes target/test-venv: the Python receivers and clients of the tests. Does nothing when it is there and fits.
set -euo pipefail
cd "$(dirname "$0")/.."
venv=target/test-venv
wanted=tests/requirements.txt
if [[ -f $venv/requirements.txt ]] && cmp -s "$wanted" "$venv/requirements.txt"; then
    exit 0
fi
mkdir -p target
python3 -m venv "$venv"
"$venv/bin/pip" install --quiet --disable-pip-version-check -r "$wanted"
# Last, so that a broken installation is made again.
cp "$wanted" "$venv/requirements.txt"
