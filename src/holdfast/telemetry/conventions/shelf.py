"""The conventions in the order in which they are asked, and their alias tables joined into one dispatch table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from holdfast.telemetry.conventions import dimensions, values, vocabulary
from holdfast.telemetry.conventions.anthropic_sdk import AnthropicSdk
from holdfast.telemetry.conventions.convention import Convention
from holdfast.telemetry.conventions.moments import instant
from holdfast.telemetry.conventions.openinference import OpenInference
from holdfast.telemetry.conventions.openlit import OpenLit
from holdfast.telemetry.conventions.openllmetry import OpenLLMetry
from holdfast.telemetry.conventions.otel_genai import OtelGenai
from holdfast.telemetry.conventions.vercel import Vercel

SHELF: Final[tuple[Convention, ...]] = (
    AnthropicSdk(),
    OpenLit(),
    OpenInference(),
    Vercel(),
    OpenLLMetry(),
    OtelGenai(),
)


class Alias(NamedTuple):
    """Where one attribute name leads: a slot, its rank among the slot's names, and the way to read it."""

    slot: str
    group: str  # values, usage, parameters or content: where in the draft
    place: int  # the same as its position in GROUPS
    key: str  # the slot without its group
    told: bool  # whether Facts.provenance tells of it
    rank: int
    convert: Callable[[Any], Any]


CONVERTERS: Final[Mapping[str, Callable[[Any], Any]]] = {
    "provider": vocabulary.provider,
    "finish_reasons": vocabulary.finish_reasons,
    "streaming": values.flag,
    "sample": values.flag,
    "cache_hit": values.flag,
    "documents": values.count,
    "top_score": values.number,
    "newest_ns": instant,
    "marker.returned_rows": values.count,
    "resends": values.count,
    "ttft_seconds": values.seconds,
    "ttft_ms": values.seconds,
    "http_status": values.status_code,
    "reported_cost": values.amount,
    "invocation": values.anything,
    "marker.provider_metadata": values.anything,
}
BY_GROUP: Final[Mapping[str, Callable[[Any], Any]]] = {
    "usage": values.count,
    "parameters": values.parameter,
    "content": values.anything,
}


GROUPS: Final = ("values", "usage", "parameters", "content")
UNTOLD: Final = ("marker.", "invocation", "model_name", "http_status", "content.")


def _converter(slot: str) -> Callable[[Any], Any]:
    return CONVERTERS.get(slot) or BY_GROUP.get(slot.partition(".")[0]) or values.text


def _alias(slot: str, rank: int) -> Alias:
    group, _, key = slot.partition(".")
    if group not in BY_GROUP:
        group, key = "values", slot
    told = not slot.startswith(UNTOLD)
    return Alias(slot, group, GROUPS.index(group), key, told, rank, _converter(slot))


def join(tables: tuple[Mapping[str, tuple[str, ...]], ...]) -> dict[str, Alias]:
    """Attribute name -> alias; names of a slot are ranked by table, then by their place in it."""
    joined: dict[str, Alias] = {}
    ranks: dict[str, int] = {}
    for table in tables:
        for slot, names in table.items():
            for name in names:
                if name in joined:
                    raise AssertionError(f"{name} is listed twice")
                ranks[slot] = ranks.get(slot, -1) + 1
                joined[name] = _alias(slot, ranks[slot])
    return joined


# OpenTelemetry's own names are the best known, so they are ranked first; then the shelf's order.
TABLE: Final = join((OtelGenai.aliases, *(c.aliases for c in SHELF[:-1]), dimensions.SPAN))
DIMENSIONS: Final = join((dimensions.SPAN,))

NOT_TELLING: Final = frozenset(
    name
    for name, alias in TABLE.items()
    if alias.slot in dimensions.SPAN
    or alias.slot in ("error_type", "http_status", "resends", "marker.collection", "marker.returned_rows")
    or alias.slot.startswith("marker.database")
)
TELLING: Final = frozenset(TABLE) - NOT_TELLING
"""Names that only a span of a generative system carries: without one of them a span is quickly done with."""
