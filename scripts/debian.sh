#!/usr/bin/env bash
# Installs the Debian packages that a task needs and that are not there yet.
# usage: scripts/debian.sh build|test|bench
set -euo pipefail

case "${1:?say what for: build, test or bench}" in
  build) want=(gcc make pkg-config) ;;
  test)  want=(gcc make pkg-config chromium poppler-utils golang-go golang-golang-x-mod-dev python3-venv bsdutils curl gzip) ;;
  bench) want=(gcc make pkg-config postgresql postgresql-client) ;;
  *) echo "scripts/debian.sh: unknown task $1" >&2; exit 2 ;;
esac

missing=()
for package in "${want[@]}"; do
  [ "$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null || true)" = installed ] || missing+=("$package")
done
[ ${#missing[@]} -eq 0 ] && exit 0

as_root=()
if [ "$(id -u)" -ne 0 ]; then
  command -v sudo >/dev/null || { echo "please install as root: apt-get install ${missing[*]}" >&2; exit 1; }
  as_root=(sudo)
fi
echo "installing ${missing[*]}" >&2
"${as_root[@]}" apt-get update -qq
DEBIAN_FRONTEND=noninteractive "${as_root[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}" >&2
