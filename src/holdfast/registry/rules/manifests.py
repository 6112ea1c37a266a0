"""What a manifest of documents may hold, and how it is named."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable
from datetime import UTC

from holdfast.kernel.errors import Invalid
from holdfast.registry.model import Document
from holdfast.registry.rules.naming import ID_DIGITS, content_hash

MOST = 500_000
"""Documents in a manifest."""
LONGEST_ID = 500
LONGEST_HASH = 200
LONGEST_SOURCE = 2000
_UNFIT = re.compile("[\0\ud800-\udfff]")


def checked(documents: Iterable[Document]) -> list[Document]:
    """The documents by id. Raises Invalid that says which one is wrong, and how."""
    found: dict[str, Document] = {}
    for place, one in enumerate(documents):
        where = f"documents[{place}]"
        if place >= MOST:
            raise Invalid(f"a manifest has at most {MOST} documents; split the knowledge base", where=where)
        for name, text, longest in (
            ("id", one.id, LONGEST_ID),
            ("hash", one.hash, LONGEST_HASH),
            ("source", one.source, LONGEST_SOURCE),
        ):
            if len(text) > longest or _UNFIT.search(text):
                raise Invalid(
                    f"at most {longest} characters, none of them NUL or half a pair", where=f"{where}.{name}"
                )
        if not one.id or not one.hash:
            raise Invalid("a document has an id and a hash of its content", where=where)
        if one.date is not None and one.date.tzinfo is None:
            raise Invalid("a date carries its time zone, such as 2026-03-01T00:00:00Z", where=f"{where}.date")
        if one.id in found:
            raise Invalid(f"the document {one.id[:100]!r} is listed twice; list it once", where=f"{where}.id")
        found[one.id] = one
    return [found[name] for name in sorted(found)]


def documents_hash(documents: Iterable[Document]) -> str:
    """SHA-256 in hex over documents in the order of their ids: the order in which they came makes no difference."""
    made = hashlib.sha256()
    for one in documents:
        date = None if one.date is None else one.date.astimezone(UTC).isoformat()
        made.update(json.dumps([one.id, one.hash, one.source, date]).encode() + b"\n")
    return made.hexdigest()


def manifest_id(name: str, documents: str) -> str:
    """The id of a manifest: of its name and the hash of its documents."""
    return "man_" + content_hash("manifest", {"name": name, "documents": documents})[:ID_DIGITS]
