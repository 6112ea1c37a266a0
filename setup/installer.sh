#!/usr/bin/env bash
# Makes .bootstrap with the installer (uv) in it. Needs python3, and python3-venv or pip: either will do.
set -euo pipefail
cd "$(dirname "$0")/.."
command -v python3 >/dev/null || { echo "holdfast: python3 is missing. On Debian: apt-get install python3 python3-venv"; exit 1; }
python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
  { echo "holdfast: Python 3.11 or newer is needed; python3 is $(python3 -V)"; exit 1; }
has() { python3 -c "import $1" 2>/dev/null; }
if ! has "ensurepip, venv" && ! has pip && [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; then
  echo "holdfast: installing the Debian package python3-venv …"
  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends python3-venv >/dev/null
fi
if has "ensurepip, venv"; then
  python3 -m venv .bootstrap
  pip=(.bootstrap/bin/python -m pip)
elif has pip; then
  python3 -m venv --without-pip .bootstrap
  pip=(python3 -m pip --python .bootstrap/bin/python)
else
  echo "holdfast: python3 has neither venv nor pip. On Debian: apt-get install python3-venv (as root), then start again"
  exit 1
fi
"${pip[@]}" install -q --disable-pip-version-check --require-hashes -r requirements-bootstrap.lock
