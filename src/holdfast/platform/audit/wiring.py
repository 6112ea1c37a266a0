"""How the audit log plugs in: the job, and the checks behind `holdfast audit verify`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from holdfast.kernel.errors import Invalid
from holdfast.kernel.time import Clock
from holdfast.platform.audit import reads
from holdfast.platform.audit.jobs import AuditJob
from holdfast.platform.audit.keys import MemoryFile, open_signer, published_vkey
from holdfast.platform.audit.model import StreamConfig
from holdfast.platform.audit.rules.exports import read_line
from holdfast.platform.audit.streams.shelf import open_stream, read_configs
from holdfast.platform.settings import Settings
from holdfast.storage.sql import Database


def open_job(database: Database, folder: Path, configs: Sequence[StreamConfig], clock: Clock) -> AuditJob:
    """The job over this store, with the key in `folder`, made where missing. Raises Unavailable, Invalid."""
    streams = [open_stream(config) for config in configs]
    return AuditJob(database, open_signer(folder), MemoryFile(folder), streams, clock)


def verify_command(
    database: Database, folder: Path, vkeys: Sequence[str] = (), against: Sequence[Path] = ()
) -> tuple[int, str]:
    """The exit code and the text of `holdfast audit verify`: 0 intact, 1 not intact.

    `vkeys` are public keys from outside; without them, the one beside the data is taken, and the text says
    so. `against` are files of a stream or an export, whose checkpoints the log must continue. Raises Invalid
    for a malformed key or file, Unavailable when the store or the signer's memory cannot be read.
    """
    told = list(vkeys)
    lines = []
    if not told:
        found = published_vkey(folder)
        told = [found] if found else []
        lines.append(
            "Verified with the key beside the data. Whoever can change both can forge both: "
            "give --vkey with a copy kept elsewhere."
        )
    elsewhere = list(MemoryFile(folder).load().items())
    for path in against:
        with path.open(encoding="utf-8") as file:
            items = (read_line(line) for line in file if '"checkpoint"' in line)
            elsewhere += [item for item in items if isinstance(item, tuple)]
    with database.reading() as tx:
        report = reads.verify(tx, told, dict.fromkeys(elsewhere))
    return (0 if report.ok else 1), "\n".join([report.describe(), *lines])


def verify_file_command(path: Path, vkeys: Sequence[str]) -> tuple[int, str]:
    """Exit code and text for checking an export or stream file offline. Raises Invalid without key."""
    if not vkeys:
        raise Invalid("checking a file needs the public key: --vkey", where="vkey")
    with path.open(encoding="utf-8") as file:
        report = reads.verify_export(file, vkeys)
    return (0 if report.ok else 1), report.describe()


def stream_configs(settings: Settings) -> tuple[StreamConfig, ...]:
    """The streams that HOLDFAST_AUDIT_STREAMS lists, as JSON; what one leaves open is as for every outbound connection.

    Raises Invalid.
    """
    try:
        listed = json.loads(settings.audit_streams)
    except ValueError as error:
        raise Invalid(f"HOLDFAST_AUDIT_STREAMS is not JSON: {error}", where="audit_streams") from error
    if not isinstance(listed, list) or not all(isinstance(one, dict) for one in listed):
        raise Invalid("HOLDFAST_AUDIT_STREAMS is not a JSON list of objects", where="audit_streams")
    shared = {
        "ca": settings.ca_bundle,
        "cert": settings.client_cert,
        "key": settings.client_key,
        "proxy": settings.proxy or None,
    }
    common = {name: str(value) for name, value in shared.items() if value is not None}
    return read_configs([one if one.get("kind") == "file" else {**common, **one} for one in listed])
