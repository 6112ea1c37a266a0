"""What may be said in an item, and when two items say the same."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from datetime import timedelta

from holdfast.feedback.model import Item, Source
from holdfast.kernel.errors import Invalid

MAX_ID = 100
MAX_LABEL = 100
MAX_WORDS = 20_000
"""Characters of a comment, of a correction, of a text that was used."""
MAX_NAME = 200
"""Characters of a session and of an author."""
MAX_METADATA = 8 << 10
"""Bytes of the metadata as JSON."""
AHEAD = timedelta(hours=1)
"""How far a sender's clock may be ahead."""
_ID = re.compile(r"[A-Za-z0-9._:@+=-]{1,100}\Z")
_TRACE = re.compile(r"(?!0{32})[0-9a-f]{32}\Z")

Fault = tuple[str, str]
"""Where, and what is wrong there and how to mend it."""


def is_trace_id(text: str) -> bool:
    """Whether it is a W3C trace id."""
    return _TRACE.match(text) is not None


def faults(item: Item) -> list[Fault]:
    """All that is wrong with an item; none: it can be kept."""
    found: list[Fault] = []
    if not _ID.match(item.id):
        found.append(("id", f"an id has 1 to {MAX_ID} letters, digits and . _ : @ + = -"))
    if item.rating not in (None, -1, 1):
        found.append(
            ("rating", "a rating is -1 (thumb down) or 1 (thumb up); for a scale send score, 0 to 1")
        )
    if item.score is not None and not 0 <= item.score <= 1:
        found.append(("score", "a score is from 0 (worst) to 1 (best); divide by the top of your scale"))
    if item.trace_id is not None and not is_trace_id(item.trace_id):
        found.append(("trace_id", "a trace id has 32 hexadecimal digits in lower case, not all zero"))
    for name, most in (
        ("call_id", MAX_NAME),
        ("session", MAX_NAME),
        ("author", MAX_NAME),
        ("label", MAX_LABEL),
        ("comment", MAX_WORDS),
        ("correction", MAX_WORDS),
        ("used", MAX_WORDS),
    ):
        text = getattr(item, name)
        if text is not None and len(text) > most:
            found.append(
                (name, f"it has {len(text):,} characters, and at most {most:,} are kept; shorten it")
            )
        if text is not None and "\x00" in text:
            found.append((name, "it holds a NUL character; take it out"))
    size = len(json.dumps(dict(item.metadata), ensure_ascii=False).encode(errors="replace"))
    if size > MAX_METADATA:
        found.append(("metadata", f"it has {size:,} bytes as JSON, and at most {MAX_METADATA:,} are kept"))
    if item.created_at > item.received_at + AHEAD:
        found.append(("created_at", "it lies in the future; mend the sender's clock, or leave it out"))
    said = (item.rating, item.score, item.label, item.comment, item.correction, item.used)
    if all(one is None for one in said):
        found.append(("", "it says nothing: send a rating, score, label, comment, correction or used text"))
    if item.source is not Source.IMPORT and not (item.call_id or item.trace_id or item.session):
        found.append(
            (
                "call_id",
                "say what it is about: call_id (the answer's x-holdfast-call-id), trace_id or session",
            )
        )
    return found


def refusal(found: Sequence[tuple[str, Fault]]) -> Invalid:
    """The error that tells all faults, each with its place: (prefix, fault)."""
    errors = tuple(
        (".".join(part for part in (prefix, where) if part), what) for prefix, (where, what) in found[:100]
    )
    told = "; ".join(f"{where}: {what}" if where else what for where, what in errors[:3])
    more = f"; and {len(found) - 3:,} more" if len(found) > 3 else ""
    return Invalid(told + more, where=errors[0][0] or None, errors=errors)


def digest(item: Item) -> str:
    """Of all that the sender said but its time: a resend has the same, and another item under this id has not."""
    said = (
        item.id, item.source.value, item.call_id, item.trace_id, item.session, item.rating, item.score, item.label,
        item.comment, item.correction, item.used, item.author, dict(item.metadata),
    )  # fmt: skip
    return _hash(said)


def likeness(item: Item) -> str | None:
    """The same for two items that say the very same of the same call; None where an item is like no other.

    A thumb alone counts for a call or a trace: of a session somebody may think well twice. Words without a call need
    an author. Implicit items have ids that are the same already.
    """
    words = [_folded(one) for one in (item.label, item.comment, item.correction, item.used)]
    target = item.call_id or item.trace_id or item.session
    worded = any(words)
    if item.source is Source.IMPLICIT:
        return None
    if not (item.call_id or item.trace_id) and not (worded and (target or item.author)):
        return None
    return _hash((target, item.author, item.rating, item.score, *words))


def _folded(text: str | None) -> str | None:
    return None if text is None else " ".join(text.casefold().split())


def _hash(value: object) -> str:
    return hashlib.sha256(
        json.dumps(value, sort_keys=True, ensure_ascii=False, default=str).encode(errors="surrogatepass")
    ).hexdigest()
