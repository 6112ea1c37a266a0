"""Which observations of one trace are the same tool call, retrieval or agent run, and what belongs to it. Pure.

Like `rules.merge`, the answer depends on the set of observations alone. How it is decided:

1. **Nested.** A tool call directly within one of the same name is that one: a framework's span over the client's over
   the server's. So is an agent run directly within one of the same agent. Where one of two states no name they are one
   if two scopes saw them. Directly: with no call, tool, retrieval or agent run between.
2. **Side by side.** Tool spans of different scopes under one parent, of the same name, one inside the other's interval,
   are one tool call.
3. **A retrieval within a retrieval** is part of it. What the outer one does not say is taken from the inner one if there
   is one alone: of several, each found a part of it.
4. **Agent runs** are spans in which an agent is invoked; that one is created, or plans, is none. To a run belong the LLM
   calls and tool calls of which it is the nearest run, so that none belongs to two. A run of which no LLM call is seen
   does not show its steps: how many they were is unknown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from holdfast.telemetry.model import OPERATIONS, RETRIEVAL, Facts, Kind, Observation
from holdfast.telemetry.rules.combine import DIMENSIONS, Lineage, copied
from holdfast.telemetry.rules.merge import NEIGHBOURS, TOLERANCE_NS, Group, latest, without_circles

_NO_RUN = frozenset(("create_agent", "plan"))
_NAMES = ("tool_name", "operation", "error_type", "error_class", *DIMENSIONS)
_FOUND = ("data_source", "documents", "top_score", "newest_ns", "cache_hit")


class Done(NamedTuple):
    """One operation: its facts after merging, and the span ids of its observations, the outermost first."""

    span_id: str
    start_ns: int
    end_ns: int
    error: bool
    scope: str
    facts: Facts
    observations: tuple[str, ...]
    llm_calls: int | None
    tool_calls: int | None


@dataclass(slots=True)
class _Head:
    """An operation while it is being decided; the outermost observation first."""

    members: list[Observation]
    branched: bool = False  # some member has more than one within it
    within: set[str] = field(default_factory=set)
    llm_calls: int = 0
    tool_calls: int = 0

    @property
    def outermost(self) -> Observation:
        return self.members[0]


def operate(observations: Sequence[Observation], calls: Sequence[Group]) -> list[Done]:
    """The operations of one trace, in order of start; `calls` are those that `merge.resolve` makes of the same.

    An LLM call is told (in its parameters) from where the application had fetched documents before it.
    """
    if not any(one.facts.kind in OPERATIONS for one in observations):
        return []
    known = latest(observations)
    tree = without_circles({span_id: one.parent_span_id for span_id, one in known.items()})
    heads = _heads(known, tree)
    runs = _Upwards(tree, {span: head for span, head in heads.items() if _is(head, Kind.AGENT)})
    different = list({id(head): head for head in heads.values()}.values())
    for call in calls:
        run = runs.above(call.span_id)
        if run is not None and call.facts.kind is Kind.INFERENCE and not call.attempt:
            run.llm_calls += 1
    for head in different:
        if _is(head, Kind.TOOL) and (run := runs.above(head.outermost.span_id)) is not None:
            run.tool_calls += 1
    lineage = Lineage(known, tree)
    made = [_done(head, lineage) for head in different]
    _lend_settings(calls, [one for one in made if one.facts.kind is Kind.RETRIEVAL], heads, tree)
    return sorted(made, key=lambda one: (one.start_ns, one.span_id))


def _is(head: _Head, kind: Kind) -> bool:
    return head.outermost.facts.kind is kind


class _Upwards:
    """Finds what is next above a span in a tree without circles. Linear: every way up is walked once."""

    def __init__(self, tree: Mapping[str, str], marked: Mapping[str, _Head]) -> None:
        self._tree = tree
        self._marked = marked
        self._found: dict[str, _Head | None] = {"": None}

    def above(self, span: str) -> _Head | None:
        """The nearest marked ancestor of a span; None where there is none."""
        way: list[str] = []
        at = self._tree.get(span, "")
        while at not in self._found and at not in self._marked:
            way.append(at)
            at = self._tree.get(at, "")
        found = self._marked[at] if at in self._marked else self._found[at]
        self._found.update(dict.fromkeys(way, found))
        return found


def _heads(known: Mapping[str, Observation], tree: Mapping[str, str]) -> dict[str, _Head]:
    """Each operation by the span id of every observation of it."""
    operations = [
        one for one in known.values() if one.facts.kind in OPERATIONS and one.facts.operation not in _NO_RUN
    ]
    stops = {one.span_id for one in operations} | {o.span_id for o in known.values() if o.facts.kind.is_call}
    heads: dict[str, _Head] = {}
    over = _nearest(stops, tree)
    depth: dict[str, int] = {}
    for one in operations:
        way: list[str] = []
        at = one.span_id
        while at and at not in depth:
            way.append(at)
            at = over(at)
        start = depth.get(at, 0)
        depth.update((span, start + len(way) - n) for n, span in enumerate(way))
    beside: dict[tuple[str, str], list[_Head]] = {}
    for one in sorted(operations, key=lambda o: (depth[o.span_id], o.start_ns, -o.end_ns, o.span_id)):
        above = over(one.span_id)
        outer = known.get(above)
        head = heads.get(above)
        if outer is not None and head is not None and _same(outer, one):
            head.branched |= above in head.within
            head.within.add(above)
            head.members.append(one)
        elif (twin := _twin(beside, tree[one.span_id], one)) is not None:
            head = twin
            head.members.append(one)
        else:
            head = _Head([one])
            if one.facts.kind is Kind.TOOL and one.facts.tool_name:
                beside.setdefault((tree[one.span_id], one.facts.tool_name), []).append(head)
        heads[one.span_id] = head
    return heads


def _nearest(stops: set[str], tree: Mapping[str, str]) -> Callable[[str], str]:
    """Finds the nearest of some spans above one; empty text where there is none."""
    found: dict[str, str] = {"": ""}

    def above(span: str) -> str:
        way: list[str] = []
        at = tree.get(span, "")
        while at not in stops and at not in found:
            way.append(at)
            at = tree.get(at, "")
        nearest = at if at in stops else found[at]
        found.update(dict.fromkeys(way, nearest))
        return nearest

    return above


def _name(facts: Facts) -> str | None:
    return facts.tool_name if facts.kind is Kind.TOOL else facts.agent


def _same(outer: Observation, inner: Observation) -> bool:
    """Whether an operation directly within another is that one (rules 1 and 3)."""
    if outer.facts.kind is not inner.facts.kind:
        return False
    if inner.facts.kind is Kind.RETRIEVAL:
        return True
    one, two = _name(outer.facts), _name(inner.facts)
    return one == two if one and two else outer.scope != inner.scope


def _twin(beside: Mapping[tuple[str, str], Sequence[_Head]], parent: str, one: Observation) -> _Head | None:
    """The tool call that another scope saw beside (rule 2)."""
    if one.facts.kind is not Kind.TOOL or not one.facts.tool_name:
        return None
    for head in reversed(beside.get((parent, one.facts.tool_name), ())[-NEIGHBOURS:]):
        outer = head.outermost
        if (
            all(member.scope != one.scope for member in head.members)
            and outer.start_ns <= one.start_ns <= outer.end_ns
            and one.end_ns <= outer.end_ns + TOLERANCE_NS
        ):
            return head
    return None


def _done(head: _Head, lineage: Lineage) -> Done:
    outermost = head.outermost
    facts = copied(outermost.facts)
    failed = outermost.error or facts.error_class is not None
    for member in head.members[1:]:
        for name in _NAMES if head.branched else (*_NAMES, *_FOUND):
            if name.startswith("error_") and not failed:
                continue
            value = getattr(member.facts, name)
            if getattr(facts, name) is None and value is not None:
                setattr(facts, name, value)
        facts.sample = facts.sample or member.facts.sample
        if not head.branched:
            facts.parameters = {**member.facts.parameters, **facts.parameters}
    lineage.lend(facts, outermost.span_id)
    seen = _is(head, Kind.AGENT) and head.llm_calls > 0
    return Done(
        span_id=outermost.span_id,
        start_ns=outermost.start_ns,
        end_ns=outermost.end_ns,
        error=failed,
        scope=outermost.scope,
        facts=facts,
        observations=tuple(one.span_id for one in head.members),
        llm_calls=head.llm_calls if seen else None,
        tool_calls=head.tool_calls if seen else None,
    )


def _lend_settings(
    calls: Iterable[Group], retrievals: Sequence[Done], heads: Mapping[str, _Head], tree: Mapping[str, str]
) -> None:
    """Tells LLM calls of the retrievals that were done before them in the same agent run, tool or trace.

    A retrieval within a tool is none of the calls outside of it: whether it is done was for the model to choose.
    """
    if not retrievals:
        return
    apart = _Upwards(tree, {s: h for s, h in heads.items() if _is(h, Kind.AGENT) or _is(h, Kind.TOOL)})
    by_place: dict[int, list[Done]] = {}
    for one in retrievals:
        by_place.setdefault(id(apart.above(one.span_id)), []).append(one)
    for call in calls:
        if call.facts.kind is not Kind.INFERENCE:
            continue
        place = by_place.get(id(apart.above(call.span_id)), ())
        before = [one for one in place if one.end_ns <= call.start_ns]
        for name, said in (
            ("data_source", [one.facts.data_source for one in before]),
            ("top_k", [one.facts.parameters.get("top_k") for one in before]),
        ):
            _lend(call.facts, f"{RETRIEVAL}{name}", {repr(one): one for one in said if one is not None})


def _lend(facts: Facts, name: str, said: Mapping[str, Any]) -> None:
    if said and name not in facts.parameters:
        values = [said[key] for key in sorted(said)]
        facts.parameters[name] = values[0] if len(values) == 1 else values
        facts.provenance[f"parameters.{name}"] = "a retrieval before it"
