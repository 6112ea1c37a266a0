"""The log as lines of JSON: what the streams carry and what an export file holds. Each line proves itself.

    {"kind": "entry", "workspace", "index", "leaf", "salt", "record": {…}}
    {"kind": "entry", "workspace", "index", "leaf", "erased": {"at", "action", "actor_kind", "erased_at"}}
    {"kind": "checkpoint", "workspace", "note"}

Hashes and salts are hex. The record is the object whose RFC 8785 text was committed to.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from holdfast.kernel.errors import HoldfastError, Invalid
from holdfast.kernel.time import iso, parse_instant
from holdfast.platform.audit.model import Checkpoint, Entry, Item
from holdfast.platform.audit.rules.checkpoints import Head, read_checkpoint
from holdfast.platform.audit.rules.notes import read_note
from holdfast.platform.audit.rules.records import canonical, parse, read_record

Note = tuple[str, str]
"""A workspace, and a checkpoint note that is said to be of its log."""


def as_object(item: Item) -> dict[str, Any]:
    """One entry or checkpoint as a JSON object."""
    if isinstance(item, Checkpoint):
        return {"kind": "checkpoint", "workspace": item.workspace, "note": item.note}
    said: dict[str, Any] = {"kind": "entry", "workspace": item.workspace, "index": item.index}
    said["leaf"] = item.leaf_hash.hex()
    if item.erased_at is not None:
        erased = {"at": iso(item.at), "action": item.action, "actor_kind": item.actor_kind}
        return said | {"erased": erased | {"erased_at": iso(item.erased_at)}}
    said["salt"] = None if item.salt is None else item.salt.hex()
    try:
        said["record"] = None if item.text is None else parse(item.text)
    except ValueError:
        said["record"] = (
            item.text
        )  # tampered with: passed on as it is, for the check at the other end to find
    return said


def as_line(item: Item) -> str:
    """`as_object` as one line of ASCII without the newline: no character in it can end or forge a line."""
    return json.dumps(as_object(item), separators=(",", ":"), ensure_ascii=True)


def read_line(line: str) -> Entry | Note:
    """An entry, or a workspace with its checkpoint's note. Raises Invalid when it is neither."""
    try:
        value = parse(line)
        if value["kind"] == "checkpoint":
            return str(value["workspace"]), str(value["note"])
        if value["kind"] == "entry":
            return _erased(value) if "erased" in value else _whole(value)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, HoldfastError) as error:
        raise Invalid("this is not a line of an audit log", where="line") from error
    raise Invalid("this is not a line of an audit log", where="line")


def head_of(note: str) -> Head:
    """What a checkpoint note states; nothing is verified. Raises Invalid."""
    return read_checkpoint(read_note(note).text)


def _whole(value: Mapping[str, Any]) -> Entry:
    text = canonical(value["record"])
    record = read_record(text)
    return Entry(
        str(value["workspace"]),
        int(value["index"]),
        record.at,
        record.action,
        record.actor_kind,
        record.actor_id,
        record.subject,
        text,
        bytes.fromhex(value["salt"]),
        bytes.fromhex(value["leaf"]),
    )


def _erased(value: Mapping[str, Any]) -> Entry:
    said = value["erased"]
    return Entry(
        str(value["workspace"]),
        int(value["index"]),
        parse_instant(said["at"], "at"),
        str(said["action"]),
        str(said["actor_kind"]),
        None,
        None,
        None,
        None,
        bytes.fromhex(value["leaf"]),
        parse_instant(said["erased_at"], "erased_at"),
    )
