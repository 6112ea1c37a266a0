"""Where the master key is: HOLDFAST_MASTER_KEY, else a file of the data folder that only its owner can read."""

from __future__ import annotations

import base64
import os
import stat
from pathlib import Path

from holdfast.kernel.errors import Unavailable
from holdfast.platform.secrets import rules
from holdfast.platform.secrets.model import MasterKey
from holdfast.platform.settings import Settings


def load(settings: Settings) -> MasterKey:
    """The master key, made at first use. Raises Invalid, or Unavailable where others may read the file."""
    given = settings.master_key.get_secret_value()
    if given:
        return rules.decode_key(given)
    path = settings.data / "keys" / "master.key"
    if not path.exists():
        _make(path)
    mode = path.stat().st_mode
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise Unavailable("keys/master.key can be read by others; make it yours alone: chmod 600")
    return rules.decode_key(path.read_text())


def _make(path: Path) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = path.with_name(f"master.{os.urandom(8).hex()}.new")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(base64.b64encode(rules.new_data_key()).decode() + "\n")
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(fresh, path)  # of two that make it at once, one wins and both use that
    except FileExistsError:
        pass
    finally:
        fresh.unlink()
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
