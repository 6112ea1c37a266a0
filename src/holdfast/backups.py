"""Backups of a whole data folder: one tar that holds both stores and the keys as they were at one moment.

keys/…          copied first, so that the signer's memory is never ahead of the log in the tar
holdfast.db     the control store, a view pinned while nothing is written to the call store
columns/…       definitions and frozen parts of the call store, of that same moment
manifest.json   last: sha256 of every file, versions, rows by table; without it the tar is not whole
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path, PurePosixPath
from typing import Any

import msgspec

from holdfast import __version__
from holdfast.kernel.errors import Conflict, Invalid
from holdfast.kernel.ids import new_id
from holdfast.kernel.time import iso, utc_now
from holdfast.platform.settings import Settings
from holdfast.storage import backup
from holdfast.storage.columns import Columns
from holdfast.storage.migrate import revisions
from holdfast.storage.sql import Database

FORMAT = 1
CHUNK = 1 << 20
MANIFEST = "manifest.json"
FOLDERS = ("keys", "blobs")


def chunks(
    settings: Settings, database: Database, columns: Columns, paused: AbstractContextManager[None]
) -> Iterator[bytes]:
    """A backup as the bytes of a tar. Writing is paused for the moment of the snapshot, not for the copy.

    Raises Invalid where a store is a server, Unavailable where a store cannot be read.
    """
    backup.check_embedded(settings.columns, settings.sql)
    with ExitStack() as stack:
        scratch = Path(
            stack.enter_context(tempfile.TemporaryDirectory(prefix="backup-", dir=_scratch(settings.data)))
        )
        with paused:
            for name in FOLDERS:
                if (settings.data / name).is_dir():
                    shutil.copytree(settings.data / name, scratch / name)
            pinned = backup.PinnedSql(database)
            stack.callback(pinned.close)
            parts = stack.enter_context(backup.frozen(columns, new_id("backup")))
            rows = backup.tables(columns)
        pinned.copy(scratch / "holdfast.db")
        manifest: dict[str, Any] = {
            "format": FORMAT,
            "made_at": iso(utc_now()),
            "holdfast": __version__,
            "call_store": backup.engine_version(columns),
            "control_store": pinned.revision(),
            "rows": rows,
            "files": {},
            "links": {},
        }
        members = {one.relative_to(scratch).as_posix(): one for one in _walk(scratch)}
        members |= {f"columns/{name}": path for name, path in parts.items()}
        for name in sorted(members):
            yield from _member(name, members[name], manifest)
        text = msgspec.json.format(msgspec.json.encode(manifest), indent=1)
        yield _header(MANIFEST, len(text), 0o600)
        yield _padded(text)
        yield bytes(2 * tarfile.BLOCKSIZE)


def clear(data: Path) -> None:
    """Removes what a backup or an export left behind whose process was killed. Only by the process that owns the folder."""
    shutil.rmtree(data / "columns" / "shadow", ignore_errors=True)
    for pattern in ("backup-*", "export-*"):
        for left in (data / "tmp").glob(pattern):
            shutil.rmtree(left, ignore_errors=True)


def _scratch(data: Path) -> Path:
    made = data.resolve() / "tmp"
    made.mkdir(parents=True, exist_ok=True)
    return made


def _walk(folder: Path) -> Iterator[Path]:
    return (one for one in folder.rglob("*") if one.is_file())


def _header(name: str, size: int, mode: int, link: str = "") -> bytes:
    info = tarfile.TarInfo(name)
    info.size, info.mode, info.mtime = size, mode, int(utc_now().timestamp())
    if link:
        info.type, info.linkname = tarfile.SYMTYPE, link
    return info.tobuf(tarfile.PAX_FORMAT)


def _padded(content: bytes) -> bytes:
    return content + bytes(-len(content) % tarfile.BLOCKSIZE)


def _member(name: str, path: Path, manifest: dict[str, Any]) -> Iterator[bytes]:
    if path.is_symlink():
        target = os.readlink(path)
        manifest["links"][name] = target
        yield _header(name, 0, 0o777, target)
        return
    digest = hashlib.sha256()
    with path.open("rb") as file:
        facts = os.fstat(file.fileno())
        yield _header(name, facts.st_size, facts.st_mode & 0o700 or 0o600)
        left = facts.st_size
        while left:
            chunk = file.read(min(CHUNK, left))
            if not chunk:
                raise Conflict(f"{name} grew shorter while it was copied")
            digest.update(chunk)
            left -= len(chunk)
            yield chunk
    yield bytes(-facts.st_size % tarfile.BLOCKSIZE)
    manifest["files"][name] = {"bytes": facts.st_size, "sha256": digest.hexdigest()}


def restore(source: Path, settings: Settings) -> dict[str, Any]:
    """Puts a backup into an empty data folder; returns its manifest. Whatever fails, the folder stays empty.

    Raises Conflict for a folder with something in it, Invalid for a tar that is damaged (naming the first
    broken file), incomplete, or made by a newer Holdfast.
    """
    backup.check_embedded(settings.columns, settings.sql)
    target = settings.data.resolve()
    if target.exists() and any(target.iterdir()):
        raise Conflict(f"{target} is not empty; restore into a folder that is new or empty")
    target.parent.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(prefix=f".{target.name}-restore-", dir=target.parent))
    try:
        manifest = _extract(source, made)
        if target.exists():
            target.rmdir()
        made.rename(target)
    except BaseException:
        shutil.rmtree(made, ignore_errors=True)
        raise
    return manifest


def _extract(source: Path, target: Path) -> dict[str, Any]:
    found: dict[str, str] = {}
    links: dict[str, str] = {}
    last = "its beginning"
    try:
        with tarfile.open(source, "r:") as tar:
            for member in tar:
                last = member.name
                _check_name(member)
                if member.issym():
                    links[member.name] = member.linkname
                else:
                    found[member.name] = _write(tar, member, target / member.name)
    except FileNotFoundError as error:
        raise Invalid(f"there is no file {source}", where="from") from error
    except (tarfile.TarError, OSError, EOFError) as error:
        raise Invalid(f"this backup is damaged at {last}: {error}", where="from") from error
    if MANIFEST not in found:
        raise Invalid(f"this backup is not whole: it ends after {last}, without its manifest", where="from")
    manifest = _manifest(target / MANIFEST)
    _compare(manifest, found, links)
    for name, link in links.items():
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        (target / name).symlink_to(link)
    (target / MANIFEST).unlink()
    return manifest


def _check_name(member: tarfile.TarInfo) -> None:
    path = PurePosixPath(member.name)
    inside = not path.is_absolute() and ".." not in path.parts
    if member.issym():
        depth = len(path.parts) - 1
        parts = PurePosixPath(member.linkname).parts
        inside = inside and not member.linkname.startswith("/") and parts.count("..") < depth
    if not inside or not (member.isreg() or member.issym()):
        raise Invalid(f"this backup is damaged: {member.name!r} has no place in it", where="from")


def _write(tar: tarfile.TarFile, member: tarfile.TarInfo, path: Path) -> str:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    content = tar.extractfile(member)
    digest = hashlib.sha256()
    left = member.size
    with path.open("xb") as file:
        os.fchmod(file.fileno(), member.mode & 0o700 or 0o600)
        while left and content is not None and (chunk := content.read(min(CHUNK, left))):
            digest.update(chunk)
            file.write(chunk)
            left -= len(chunk)
        file.flush()
        os.fsync(file.fileno())
    if left:
        raise tarfile.ReadError("it ends in the middle")
    return digest.hexdigest()


def _manifest(path: Path) -> dict[str, Any]:
    try:
        manifest: dict[str, Any] = msgspec.json.decode(path.read_bytes())
        known = manifest["format"] <= FORMAT and manifest["control_store"] in revisions()
        _ = manifest["files"], manifest["links"], manifest["rows"], manifest["holdfast"]
    except (msgspec.DecodeError, KeyError, TypeError, UnicodeDecodeError) as error:
        raise Invalid(f"this backup is damaged at {MANIFEST}", where="from") from error
    if not known:
        raise Invalid(
            f"this backup was made by Holdfast {manifest['holdfast']}, which is newer than this {__version__}:"
            " update first, then restore",
            where="from",
        )
    return manifest


def _compare(manifest: dict[str, Any], found: dict[str, str], links: dict[str, str]) -> None:
    listed: dict[str, Any] = manifest["files"]
    for name in sorted({*listed, *found} - {MANIFEST}):
        if name not in found:
            raise Invalid(f"this backup is damaged: {name} is missing", where="from")
        if name not in listed:
            raise Invalid(f"this backup is damaged: {name} was added to it", where="from")
        if found[name] != listed[name]["sha256"]:
            raise Invalid(f"this backup is damaged: {name} is not what was backed up", where="from")
    if links != manifest["links"]:
        broken = sorted(
            name for name in {*links, *manifest["links"]} if links.get(name) != manifest["links"].get(name)
        )
        raise Invalid(f"this backup is damaged: {broken[0]} is not what was backed up", where="from")
