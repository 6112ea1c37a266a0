"""The facts of one call from those of all its observations, field by field; nothing is ever added up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from typing import Any

from holdfast.pricing.model import Usage
from holdfast.telemetry.model import Content, Facts, Observation

FIRST_KNOWN = (
    "operation",
    "provider",
    "request_model",
    "response_model",
    "response_id",
    "service_tier",
    "reported_cost",
    "tool_name",
    "instructions",
    "tools",
)
DIMENSIONS = (
    "system",
    "environment",
    "route",
    "agent",
    "tenant",
    "user",
    "session",
    "release",
    "feature",
)
INHERITED = ("route", "agent", "tenant", "user", "session", "feature")
CONTENT = (
    "system_instructions",
    "input_messages",
    "output_messages",
    "tool_definitions",
    "tool_arguments",
    "tool_result",
    "query",
    "documents",
)


def copied(facts: Facts) -> Facts:
    """The facts of a call that one observation saw, apart from it: what is lent to the call is not said by the span."""
    only = copy(facts)
    only.parameters, only.provenance = dict(only.parameters), dict(only.provenance)
    return only


def combine(facts: Sequence[Facts], errors: Sequence[bool]) -> Facts:
    """One call's facts from its observations', two or more, the outermost first; `errors` says which of them failed.

    - names: the outermost that states one; a dimension stated as `holdfast.*` goes before any other source;
    - usage: whole from the observation that knows most buckets without a complaint about them; of equals the
      innermost, which stood nearest to the provider. Where one says that a cache answered, its usage and cost hold: what the
      others read in the answer was used before, by another call;
    - time to first token: the shortest; streaming, refusal and cache hit: true if anybody saw it; resends: the most seen;
    - error: as the outermost ended; its class and type from the outermost that states them.
    """
    merged = Facts(kind=facts[0].kind, convention=facts[0].convention)
    for name in FIRST_KNOWN:
        _take(merged, name, next((f for f in facts if getattr(f, name) is not None), None))
    for name in DIMENSIONS:
        stated = [f for f in facts if getattr(f, name) is not None]
        ours = (f for f in stated if f.provenance.get(name, "").startswith("holdfast."))
        _take(merged, name, next(ours, stated[0] if stated else None))
    _take(merged, "finish_reasons", next((f for f in facts if f.finish_reasons), None))
    timed = [f for f in facts if f.ttft_ms is not None]
    _take(merged, "ttft_ms", min(timed, key=lambda f: f.ttft_ms or 0.0, default=None))
    for name in ("streaming", "refusal", "cache_hit"):
        told = [f for f in facts if getattr(f, name) is not None]
        _take(merged, name, next((f for f in told if getattr(f, name)), told[0] if told else None))
    if errors[0]:
        for name in ("error_class", "error_type"):
            _take(merged, name, next((f for f in facts if getattr(f, name) is not None), None))
    for one in reversed(facts):
        merged.parameters.update(one.parameters)
        merged.provenance.update((k, v) for k, v in one.provenance.items() if k.startswith("parameters."))
    _take(merged, "resends", max((f for f in facts if f.resends is not None), key=_resends, default=None))
    merged.sample = any(f.sample for f in facts)
    chosen = _usage(merged, facts)
    if chosen is not None and chosen.cache_hit and chosen.reported_cost is not None:
        _take(merged, "reported_cost", chosen)
    else:
        _take(merged, "reported_cost", next((f for f in facts if _counted(f)), None))
    merged.content = _content([f.content for f in facts if f.content is not None])
    merged.quality = _quality(facts, chosen)
    return merged


def _counted(facts: Facts) -> bool:
    """Whether the gateway says what the call cost: it set that aside and settled it."""
    return facts.provenance.get("reported_cost") == "holdfast.cost"


def _resends(facts: Facts) -> int:
    return facts.resends or 0


def _take(merged: Facts, name: str, source: Facts | None) -> None:
    """Copy one field with its provenance."""
    if source is not None:
        setattr(merged, name, getattr(source, name))
        if name in source.provenance:
            merged.provenance[name] = source.provenance[name]


def _known(usage: Usage) -> int:
    return sum(count is not None for count in usage)


def _usage(merged: Facts, facts: Sequence[Facts]) -> Facts | None:
    """Set the usage of the observation that knows it best, and return that observation."""
    stated = [(index, f, f.usage) for index, f in enumerate(facts) if f.usage is not None]
    if not stated:
        return None
    _, chosen, usage = max(
        stated,
        key=lambda entry: (
            entry[1].cache_hit is True,
            not any(map(_about_usage, entry[1].quality)),
            _known(entry[2]),
            entry[0],
        ),
    )
    merged.usage = usage
    merged.provenance.update((k, v) for k, v in chosen.provenance.items() if k.startswith("usage."))
    return chosen


def _about_usage(code: str) -> bool:
    return code.startswith("usage.")


def _quality(facts: Sequence[Facts], chosen: Facts | None) -> tuple[str, ...]:
    """All complaints, save those about a usage that was not taken; and one where usages disagree."""
    codes = [c for f in facts for c in f.quality if f is chosen or chosen is None or not _about_usage(c)]
    if chosen is not None and chosen.cache_hit:
        return tuple(dict.fromkeys(codes))
    totals = {(f.usage.input_total, f.usage.output) for f in facts if f.usage is not None}
    known = [{t for t in side if t is not None} for side in zip(*totals, strict=True)]
    if any(len(side) > 1 for side in known):
        codes.append("merge.usage_disagrees")
    return tuple(dict.fromkeys(codes))


def _content(captured: Sequence[Content]) -> Content | None:
    if not captured:
        return None
    merged = Content()
    for name in CONTENT:
        value: Any = next((v for c in captured if (v := getattr(c, name)) is not None), None)
        setattr(merged, name, value)
    return merged


class Lineage:
    """What spans lend to the calls under them. `tree` (span id -> parent's) must be free of circles."""

    def __init__(self, known: Mapping[str, Observation], tree: Mapping[str, str]) -> None:
        self._known = known
        self._tree = tree
        self._lent: dict[str, Mapping[str, tuple[str, str]]] = {"": {}}

    def lend(self, facts: Facts, span_id: str) -> None:
        """Fill the dimensions that a call lacks from the nearest ancestor of `span_id` that states them.

        The provenance of such a value names the attribute and the ancestor's span id.
        """
        provenance = facts.provenance
        for name, (value, source) in self._of(self._tree.get(span_id, "")).items():
            if getattr(facts, name) is None:
                setattr(facts, name, value)
                provenance[name] = source

    def _of(self, span: str) -> Mapping[str, tuple[str, str]]:
        """Dimension -> (value, source) as seen from below a span; every span is walked once."""
        lent = self._lent.get(span)
        if lent is not None:
            return lent
        way: list[str] = []
        while span not in self._lent:
            way.append(span)
            span = self._tree.get(span, "")
        lent = self._lent[span]
        for step in reversed(way):
            observation = self._known.get(step)
            if observation is not None:
                facts = observation.facts
                own = {
                    name: (value, f"{facts.provenance.get(name, name)} of span {step}")
                    for name in INHERITED
                    if (value := getattr(facts, name)) is not None
                }
                lent = {**lent, **own} if own else lent
            self._lent[step] = lent
        return lent
