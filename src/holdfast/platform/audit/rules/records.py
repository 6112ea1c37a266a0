"""Canonical text of a record (RFC 8785), and the salted commitment that is its leaf.

    leaf data = SHA-256(salt ‖ text),  leaf hash = SHA-256(0x00 ‖ leaf data)

The salt is 32 random bytes. With salt and text destroyed, the leaf hash tells nothing of what was there, not
even to somebody who can guess it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from enum import Enum
from hashlib import sha256
from math import isfinite
from typing import Any

import rfc8785

from holdfast.kernel.errors import HoldfastError, Invalid, TooLarge
from holdfast.kernel.time import iso, parse_instant
from holdfast.platform.audit.model import ERASED, AuditRecord, Entry
from holdfast.platform.audit.rules.merkle import leaf_hash

SALT_SIZE = 32
MAX_TEXT = 256 * 1024
VERSION = 1
_SAFE = 2**53 - 1
_STRINGS = ("workspace", "at", "action", "subject", "outcome")
_KEYS = {"v", "index", "actor", "details", *_STRINGS}


def canonical(value: Any) -> str:
    """RFC 8785 JSON. Raises Invalid for what has no canonical form."""
    try:
        return rfc8785.dumps(value).decode()
    except (rfc8785.CanonicalizationError, UnicodeError, RecursionError) as error:
        raise Invalid(f"this cannot be written as canonical JSON: {error}", where="details") from error


def commit(text: str, salt: bytes) -> bytes:
    """The leaf hash of a record's canonical text under this salt."""
    return leaf_hash(sha256(salt + text.encode()).digest())


def write_record(record: AuditRecord) -> str:
    """The canonical text of a record. Raises Invalid or TooLarge where `details` cannot be kept."""
    text = canonical(
        {
            "v": VERSION,
            "workspace": record.workspace,
            "index": record.index,
            "at": iso(record.at),
            "actor": {"kind": record.actor_kind, "id": record.actor_id, "name": record.actor_name},
            "action": record.action,
            "subject": record.subject,
            "outcome": record.outcome,
            "details": plain(record.details),
        }
    )
    if len(text) > MAX_TEXT:
        raise TooLarge(f"the details of {record.action} are over {MAX_TEXT // 1024} KiB", where="details")
    return text


def read_record(text: str, *, exact: bool = True) -> AuditRecord:
    """The record from its text. Raises Invalid where it is not exactly what `write_record` would give.

    Without `exact` only its form is checked: enough for text that its commitment has vouched for.
    """
    try:
        value = parse(text)
        actor = value["actor"]
        known = set(value) == _KEYS and set(actor) == {"kind", "id", "name"} and value["v"] == VERSION
        strings = [value[name] for name in _STRINGS] + list(actor.values())
        typed = all(isinstance(part, str) for part in strings) and isinstance(value["details"], dict)
        if not known or not typed or type(value["index"]) is not int:
            raise Invalid("this is not an audit record", where="record")
        record = AuditRecord(
            value["workspace"],
            value["index"],
            parse_instant(value["at"], "at"),
            actor["kind"],
            actor["id"],
            actor["name"],
            value["action"],
            value["subject"],
            value["outcome"],
            value["details"],
        )
        same = not exact or write_record(record) == text
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, HoldfastError) as error:
        raise Invalid("this is not an audit record", where="record") from error
    if not same:
        raise Invalid("this record is not in its canonical form", where="record")
    return record


def readable(entry: Entry) -> AuditRecord | None:
    """What an entry says; None when it is erased or was tampered with."""
    try:
        return None if entry.text is None else read_record(entry.text, exact=False)
    except Invalid:
        return None


def entry_of(record: AuditRecord, salt: bytes) -> Entry:
    """The entry to keep for a record. Raises Invalid or TooLarge as `write_record` does."""
    text = write_record(record)
    return Entry(
        record.workspace,
        record.index,
        record.at,
        record.action,
        record.actor_kind,
        record.actor_id,
        record.subject,
        text,
        salt,
        commit(text, salt),
    )


def erasure_details(entry: Entry) -> dict[str, Any]:
    """What the entry that announces an erasure says of the erased one: all that is still kept of it."""
    return {
        "index": entry.index,
        "at": iso(entry.at),
        "action": entry.action,
        "actor_kind": entry.actor_kind,
        "leaf": entry.leaf_hash.hex(),
    }


def fault(entry: Entry) -> str | None:
    """What is wrong with one entry by itself: its text, salt, leaf hash and columns must agree."""
    if entry.erased_at is not None:
        gone = entry.text is None and entry.salt is None and entry.actor_id is None and entry.subject is None
        return None if gone else "it is marked as erased, but some of its content is still there"
    if entry.text is None or entry.salt is None:
        return "its record or salt is gone, and nothing says that it was erased"
    if len(entry.salt) != SALT_SIZE or commit(entry.text, entry.salt) != entry.leaf_hash:
        return "its record, salt and leaf hash do not belong together"
    try:
        record = read_record(entry.text, exact=False)
    except Invalid as error:
        return error.detail
    if (record.workspace, record.index) != (entry.workspace, entry.index):
        return f"its record was made as entry {record.index} of workspace {record.workspace}"
    told = (record.at, record.action, record.actor_kind, record.actor_id, record.subject)
    kept = (entry.at, entry.action, entry.actor_kind, entry.actor_id, entry.subject)
    return None if told == kept else "its columns do not say what its record says"


def erased_by(entry: Entry) -> dict[str, Any] | None:
    """The erasure that an entry announces (see `erasure_details`), or None when it announces none."""
    if entry.action != ERASED or entry.text is None:
        return None
    return dict(read_record(entry.text, exact=False).details)


def plain(value: Any) -> Any:
    """JSON of the usual Python values: instants, decimals and enums become text, so do integers beyond 2^53.

    Characters that no UTF-8 text can hold are replaced. Raises Invalid for what JSON has no form for.
    """
    if isinstance(value, Enum):
        return plain(value.value)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, float):
        return value if isfinite(value) else str(value)
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, int):
        return value if abs(value) <= _SAFE else str(value)
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, datetime):
        return iso(value)
    if isinstance(value, Mapping):
        return {clean(str(key)): plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        parts = [plain(part) for part in value]
        return sorted(parts, key=canonical) if isinstance(value, set | frozenset) else parts
    raise Invalid(f"a {type(value).__name__} cannot be kept in the audit log", where="details")


def parse(text: str) -> Any:
    """JSON back from canonical text: a whole number beyond 2^53 can only have come from a float."""
    return json.loads(text, parse_int=_whole)


def _whole(digits: str) -> int | float:
    number = int(digits)
    return number if abs(number) <= _SAFE else float(digits)


def clean(text: str) -> str:
    """The text with lone surrogates replaced, so that it can be written as UTF-8."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def one_line(text: str) -> str:
    """The text for a column or a log line: no control characters, so that nobody forges a line with it."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else "�" for char in clean(text))
