#!/usr/bin/env bash
# Installs the Debian packages that a task needs and that are not there yet.
# usage: scripts/debian.sh build|test|bench|fuzz
set -euo pipefail

case "${1:?say what for: build, test, bench or fuzz}" in
  build) want=(gcc make pkg-config) ;;
  test)  want=(gcc make pkg-config chromium poppler-utils golang-go golang-golang-x-mod-dev python3-venv bsdutils curl gzip openssl nats-server rsyslog rsyslog-gnutls rsyslog-relp systemd systemd-journal-remote) ;;
  bench) want=(gcc make pkg-config postgresql postgresql-client) ;;
  fuzz)  want=(gcc g++ make pkg-config) ;;
  *) echo "scripts/debian.sh: unknown task $1" >&2; exit 2 ;;
esac

missing=()
for package in "${want[@]}"; do
  [ "$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null || true)" = installed ] || missing+=("$package")
done
# syslog-ng and rsyslog refuse to be installed beside each other: it is unpacked for the tests, not installed.
unpack_syslog_ng() {
  local folder
  folder="$(dirname "$0")/../target/syslog-ng"
  [ -x "$folder/usr/sbin/syslog-ng" ] && return 0
  mkdir -p "$folder/packages"
  (cd "$folder/packages" && apt-get download -qq syslog-ng-core libivykis0 libnet1 libjson-c5 libwrap0 libpcre3) || return 0
  local package
  for package in "$folder"/packages/*.deb; do dpkg -x "$package" "$folder"; done
}
if [ ${#missing[@]} -eq 0 ]; then
  [ "$1" = test ] && unpack_syslog_ng
  exit 0
fi

as_root=()
if [ "$(id -u)" -ne 0 ]; then
  command -v sudo >/dev/null || { echo "please install as root: apt-get install ${missing[*]}" >&2; exit 1; }
  as_root=(sudo)
fi
echo "installing ${missing[*]}" >&2
"${as_root[@]}" apt-get update -qq
DEBIAN_FRONTEND=noninteractive "${as_root[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}" >&2
[ "$1" = test ] && unpack_syslog_ng
exit 0
