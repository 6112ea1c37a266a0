"""How one release differs from another, part by part, for people to read and for rules to judge."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from holdfast.registry.model import (
    Difference,
    Kind,
    ManifestDifference,
    PartDifference,
    TextChange,
    ValueChange,
    What,
)
from holdfast.registry.rules.structures import changes, same
from holdfast.registry.rules.texts import pieces

Parts = Mapping[Kind, Mapping[str, Any]]
"""Bodies of components by kind."""
TEXT = 40
"""Characters from which on a changed text is shown word by word too; those of messages always are."""


def release_difference(
    old_body: Mapping[str, Any] | None,
    old_components: Parts,
    new_body: Mapping[str, Any],
    new_components: Parts,
    manifest: ManifestDifference | None = None,
) -> Difference:
    """What differs; `old_body` None: there was no release before. Raises Invalid for what JSON cannot hold."""
    parts = []
    for kind in Kind:
        old, new = old_components.get(kind), new_components.get(kind)
        if (old is None) != (new is None) or not same(old, new):
            parts.append(part_difference(kind, old, new))
    return Difference(old_body is None, changes(old_body or {}, new_body), tuple(parts), manifest)


def part_difference(
    kind: Kind, old: Mapping[str, Any] | None, new: Mapping[str, Any] | None
) -> PartDifference:
    """How one component differs from another of its kind; None stands for none."""
    found = changes(old or {}, new or {})
    return PartDifference(kind, old, new, found, tuple(_texts(kind, found)))


def _texts(kind: Kind, found: tuple[ValueChange, ...]) -> Iterator[TextChange]:
    for one in found:
        if one.what is not What.CHANGED or not isinstance(one.old, str) or not isinstance(one.new, str):
            continue
        if (kind is Kind.PROMPT and one.path.startswith("/messages/")) or max(
            len(one.old), len(one.new)
        ) >= TEXT:
            yield TextChange(one.path, pieces(one.old, one.new))
