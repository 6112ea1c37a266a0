#!/usr/bin/env bash
# Debian packages that the tests drive: a browser, what its driver is linked with, a PostgreSQL and a Redis server. Needs
# root or sudo only where one is missing.
set -euo pipefail
need=()
command -v chromium >/dev/null || need+=(chromium)
ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || need+=(postgresql)
command -v redis-server >/dev/null || need+=(redis-server)
command -v strace >/dev/null || need+=(strace)
compgen -G '/usr/lib*/**/libatomic.so.1' >/dev/null || need+=(libatomic1)
[ ${#need[@]} -eq 0 ] && exit 0
install="apt-get install --no-install-recommends ${need[*]}"
sudo=""
if [ "$(id -u)" -ne 0 ]; then
  command -v sudo >/dev/null || { echo "holdfast: the tests need Debian packages. As root: $install"; exit 1; }
  sudo=sudo
fi
echo "holdfast: installing Debian packages for the tests: ${need[*]} …"
$sudo apt-get update -qq
$sudo env DEBIAN_FRONTEND=noninteractive $install -y -qq >/dev/null
