"""What a retrieval found, as far as its content shows: how many documents, the best score, how new the newest is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import isfinite
from typing import Any, Final, NamedTuple

from holdfast.telemetry.conventions.content import MALFORMED, Found
from holdfast.telemetry.conventions.moments import instant

MODIFIED: Final = frozenset(
    (
        "dateupdated",
        "datemodified",
        "lastedited",
        "lasteditedtime",
        "lastmod",
        "lastmodified",
        "lastmodifiedat",
        "lastmodifieddate",
        "lastmodifieddatetime",
        "lastmodifiedtime",
        "lastupdate",
        "lastupdated",
        "lastupdatedat",
        "metadatastoragelastmodified",
        "moddate",
        "modificationdate",
        "modified",
        "modifiedat",
        "modifieddate",
        "modifiedtime",
        "mtime",
        "updated",
        "updatedat",
        "updateddate",
    )
)
"""Names under which loaders keep in a document's metadata when it was last changed, without case, `_`, `-` and space."""
_PLAIN: Final = str.maketrans("", "", "_- ")


class Retrieved(NamedTuple):
    """Facts of a retrieval; None is unknown. `newest_ns`: Unix nanoseconds of the latest change of any document."""

    documents: int | None = None
    top_score: float | None = None
    newest_ns: int | None = None


NOTHING: Final = Retrieved()


def retrieved(found: Found | None) -> Retrieved:
    """What the documents of a retrieval tell; unknown where they are cut off, or not told apart from one another."""
    if found is None or not found.listed or MALFORMED in found.quality:
        return NOTHING
    documents = found.content.documents or []
    scores = [score for one in documents if (score := one.get("score")) is not None and isfinite(score)]
    changed = [at for one in documents for at in _changed(one.get("metadata"))]
    return Retrieved(len(documents), max(scores, default=None), max(changed, default=None))


def _changed(metadata: Any) -> Iterable[int]:
    if not isinstance(metadata, Mapping):
        return ()
    named = (value for name, value in metadata.items() if str(name).lower().translate(_PLAIN) in MODIFIED)
    return [at for value in named if (at := instant(value)) is not None]
