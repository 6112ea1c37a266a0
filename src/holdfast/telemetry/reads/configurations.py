"""Which configurations ran in a system, since when, what each changed, and how calls fared under it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from holdfast.storage.columns import Columns
from holdfast.storage.sql import Database
from holdfast.telemetry.model import MetricQuery, TimeRange
from holdfast.telemetry.reads import metrics
from holdfast.telemetry.reads.shapes import instant
from holdfast.telemetry.rules.configurations import VARIES, Parts, differences, settings_of
from holdfast.telemetry.store import configurations as store
from holdfast.telemetry.store.calls import CallFilter
from holdfast.telemetry.store.configurations import Configuration, Life
from holdfast.telemetry.store.figures import WIDE
from holdfast.telemetry.store.rollups import WIDE_HOUR

FIGURES = ("calls", "error_rate", "latency_p50", "latency_p95", "cost_per_call", "refusal_rate", "unpriced")
MOST_SHOWN = 200


@dataclass(frozen=True, slots=True)
class Observed:
    """A configuration as one model answered it, within a window.

    `model` is the model that answered (None: no answer came). `changed` says what differs from `before`, the one that
    the same route ran until then (None: the first in the window). `figures` are measures of this configuration's calls
    in the window, `figures_before` those of the one before.
    """

    id: str
    system: str
    route: str
    model: str | None
    parts: Parts
    calls: int
    first_at: datetime
    first_trace: str
    first_call: str
    last_at: datetime
    before: str | None
    changed: tuple[str, ...]
    figures: Mapping[str, Any]
    figures_before: Mapping[str, Any]


def observed(columns: Columns, database: Database, workspace: str, filters: CallFilter) -> list[Observed]:
    """Every configuration among the calls of a filter, the earliest first call first; at most MOST_SHOWN, the latest."""
    with database.reading() as tx:
        known = {one.id: one for one in store.of_workspace(tx, workspace)}
    at = metrics.moment(columns, workspace)
    found = _folded(lives(columns, workspace, filters, at), known)[-MOST_SHOWN:]
    asked = MetricQuery(
        FIGURES,
        filters.within,
        None,
        ("configuration", "model"),
        dict(filters.equals),
        filters.pairs,
        5000,
    )
    figures = {row.group: row.values for row in metrics.query(columns, workspace, asked, at=at).rows}
    made: list[Observed] = []
    latest: dict[tuple[str, str], Observed] = {}
    for life in found:
        one = known.get(life.configuration)
        if one is None:  # counted by another process a moment ago, and not written down yet
            continue
        family = (one.system, one.route)
        before = latest.get(family)
        shown = _observed(life, one, before, figures)
        made.append(shown)
        if life.model:  # where no answer came, nothing is known of the model, and nothing changed by it
            latest[family] = shown
    return made


def retrieval(
    columns: Columns,
    database: Database,
    workspace: str,
    within: TimeRange,
    equals: Mapping[str, tuple[str, ...]],
) -> list[dict[str, str]]:
    """The different settings of retrieval that calls ran under, those that were first seen first."""
    with database.reading() as tx:
        known = {one.id: one for one in store.of_workspace(tx, workspace)}
    filters = CallFilter(within, dict(equals))
    found: list[dict[str, str]] = []
    for life in _folded(lives(columns, workspace, filters, metrics.moment(columns, workspace)), known):
        one = known.get(life.configuration)
        settings = described(one.parts)["retrieval"] if one is not None else {}
        if settings and settings not in found:
            found.append(settings)
    return found


def lives(columns: Columns, workspace: str, filters: CallFilter, at: metrics.Moment) -> list[Life]:
    """When each configuration was called first and last; stored hours tell in which hours to look."""
    hours = {*filters.equals} <= set(WIDE)
    pieces = metrics.pieces(at, filters.within, (WIDE_HOUR,) if hours else ())
    covered = [piece for piece in pieces if piece.cuboid]
    told = store.stored(columns, workspace, filters, covered, at.known) if covered else []
    return store.lives(columns, workspace, filters, [piece for piece in pieces if not piece.cuboid], told)


def changes(found: Sequence[Observed], within_start: datetime) -> list[Observed]:
    """Those that are a change: another configuration or model ran on the route before."""
    return [one for one in found if one.changed and one.first_at >= within_start]


def _observed(
    life: Life,
    one: Configuration,
    before: Observed | None,
    figures: Mapping[tuple[str, ...], Mapping[str, Any]],
) -> Observed:
    model = life.model or None
    changed: tuple[str, ...] = ()
    if before is not None and life.model:
        changed = tuple(differences(before.parts, one.parts))
        if before.model != model and before.parts.model == one.parts.model:
            changed = (f"answered by {before.model} → {model}", *changed)
    asked_model = life.model or one.parts.model
    return Observed(
        id=one.id,
        system=one.system,
        route=one.route,
        model=model,
        parts=one.parts,
        calls=life.calls,
        first_at=instant(life.first_ns),
        first_trace=life.first_trace,
        first_call=life.first_call,
        last_at=instant(life.last_ns),
        before=before.id if before else None,
        changed=changed,
        figures=figures.get((one.id, asked_model), {}),
        figures_before=before.figures if before else {},
    )


def _folded(lives: Sequence[Life], known: Mapping[str, Configuration]) -> list[Life]:
    """Lives with those joined that turned out to differ in a variable alone."""
    joined: dict[tuple[str, str], Life] = {}
    for life in lives:
        named = life.configuration
        while (one := known.get(named)) is not None and one.folded_into is not None:
            named = one.folded_into
        held = joined.get((named, life.model))
        if held is None:
            joined[named, life.model] = replace(life, configuration=named)
            continue
        earlier = held if held.first_ns <= life.first_ns else life
        joined[named, life.model] = replace(
            earlier,
            configuration=named,
            calls=held.calls + life.calls,
            last_ns=max(held.last_ns, life.last_ns),
        )
    return sorted(joined.values(), key=lambda one: (one.first_ns, one.configuration, one.model))


def described(parts: Parts) -> dict[str, Any]:
    """A configuration's parts as the API shows them: fingerprints, never text."""
    prompt = parts.prompt
    parameters, retrieval = (
        {name: "varies" if value == VARIES else value for name, value in settings.items()}
        for settings in settings_of(parts)
    )
    return {
        "model": parts.model or None,
        "parameters": parameters,
        "retrieval": retrieval,
        "prompt_sentences": None if prompt is None else len([one for one in prompt if one]),
        "prompt_varies": None if prompt is None else 0 in prompt,
        "tools": None if parts.tools is None else [one.rpartition("#")[0] or one for one in parts.tools],
    }
