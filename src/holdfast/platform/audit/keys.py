"""The signing key, its published counterpart and the signer's memory: files beside the data.

<data>/keys/audit.ed25519   the secret key, readable by its owner alone
<data>/keys/audit.vkey      the public key: copy it elsewhere, and verify with the copy
<data>/keys/audit.signed    the last checkpoint signed for each workspace
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Mapping
from pathlib import Path

from holdfast.kernel.errors import Unavailable
from holdfast.kernel.ids import new_id
from holdfast.platform.audit.rules.notes import Signer, new_signer, read_secret_key, write_secret_key


def open_signer(folder: Path) -> Signer:
    """The instance's signer; key and instance name (`holdfast/<instance id>`) are made at the first start.

    Raises Unavailable when the file is readable by others or cannot be used, Invalid when it is damaged.
    """
    path = folder / "audit.ed25519"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not path.exists():
            _write(path, write_secret_key(new_signer(f"holdfast/{new_id('hf')}")) + "\n", keep=True)
        if stat.S_IMODE(path.stat().st_mode) & 0o077:
            raise Unavailable(f"the audit key {path} is open to others; run chmod 600 on it")
        signer = read_secret_key(path.read_text(encoding="ascii"))
        _write(folder / "audit.vkey", signer.verifier.vkey + "\n", mode=0o644)
    except (OSError, UnicodeDecodeError) as error:
        raise Unavailable(f"the audit key {path} cannot be used: {type(error).__name__}") from error
    return signer


def published_vkey(folder: Path) -> str | None:
    """The public key as kept beside the data, or None before the first start."""
    try:
        return (folder / "audit.vkey").read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return None


class MemoryFile:
    """The signer's memory (model.SignedMemory) in `<folder>/audit.signed`, replaced as a whole and synced."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "audit.signed"

    def load(self) -> dict[str, str]:
        """The last checkpoint note of each workspace. Raises Unavailable when the file is damaged."""
        try:
            notes = json.loads(self._path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            raise Unavailable(f"the memory of the audit signer, {self._path}, cannot be read") from error
        if not isinstance(notes, dict) or not all(isinstance(note, str) for note in notes.values()):
            raise Unavailable(f"the memory of the audit signer, {self._path}, is damaged")
        return notes

    def save(self, notes: Mapping[str, str]) -> None:
        """Remembers these instead. Raises Unavailable when the disk does not take them."""
        try:
            _write(self._path, json.dumps(notes, indent=1, sort_keys=True) + "\n")
        except OSError as error:
            raise Unavailable(f"the audit signer cannot keep its memory in {self._path}") from error


def _write(path: Path, text: str, *, mode: int = 0o600, keep: bool = False) -> None:
    """Writes a file whole or not at all, and syncs it. `keep` leaves one that somebody else just made."""
    fresh = path.with_name(f"{path.name}.{os.urandom(8).hex()}.new")
    fresh.unlink(missing_ok=True)
    with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode), "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    if keep:
        try:
            os.link(fresh, path)
        except FileExistsError:
            pass
        finally:
            fresh.unlink()
    else:
        fresh.replace(path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
