"""Which observations of one trace are the same call. Pure: the answer depends on the set of observations alone,
never on the order, the grouping or the repetition in which they arrived.

How it is decided:

1. **One observation per span id.** Of two, the one with the later `sequence` holds.
2. **Side by side.** Two observations of different scopes under the same parent, one inside the other's interval,
   that share a response id (or of which at least one has none while both failed or their known token totals
   agree) are one call: some instrumentations make a span without making it current, so the SDK's own span
   becomes a sibling. Two of the *same* scope side by side are always two calls, whatever id they share:
   mock servers and cached replays answer with one id twice.
3. **Nested.** An observation and its nearest call ancestor, through any spans between, are one call when they
   share a response id; or when at least one has none, the models are compatible, the token totals agree or one
   is unknown, and it lies inside the ancestor's interval. A failed child of an ancestor that succeeded is an
   attempt of its own, and so is each failed try that a gateway tells of below its record of the call. Each
   observation takes in at most one child, so of several attempts the best match is the call and the others stay
   apart, marked as attempts; two different response ids never come into one call.
   A gateway's record whose parent nobody told of, such as a span of an HTTP client that goes elsewhere, counts as
   nested in the call around it that got the same response id.
4. **Aggregates.** An ancestor without a response id over two or more children that succeeded takes in none of
   them. It only repeats them, and is no call, when its own total is unknown, zero, the sum of theirs or that
   of one of them; with tokens of its own it is a call too.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from holdfast.telemetry.model import Facts, Kind, Observation
from holdfast.telemetry.rules.combine import Lineage, combine, copied
from holdfast.telemetry.rules.naming import compatible_models, model_keys

TOLERANCE_NS = 50_000_000  # clocks and the closing of streams: an inner span may end a little after the outer
GATEWAY = "holdfast.gateway"  # the scope of its records; each is a call or a try as it stands
NEIGHBOURS = 16  # how many siblings around one are compared; doubled spans start next to one another


class Group(NamedTuple):
    """One call: its facts after merging, and the span ids of all its observations, the outermost first."""

    span_id: str
    parent_span_id: str
    start_ns: int
    end_ns: int
    error: bool
    scope: str  # of the outermost
    sequence: int
    facts: Facts
    observations: tuple[str, ...]
    attempt: bool = False  # it failed within a call that is counted too


@dataclass(slots=True)
class Node:
    """One or more observations that are one call, while it is being decided; the outermost first."""

    members: list[Observation]
    response_id: str | None
    total: int | None
    models: frozenset[str]
    parent: Node | None = None  # the nearest call ancestor
    children: list[Node] = field(default_factory=list)
    inner: Node | None = None  # the child that was taken in
    taken: bool = False  # has been taken in by its parent
    repeats: bool = False  # stands over several calls that succeeded

    @property
    def outermost(self) -> Observation:
        return self.members[0]


def resolve(observations: Sequence[Observation], parents: Mapping[str, str]) -> list[Group]:
    """The calls of one trace, in order of start.

    `observations` are those of the trace, of any kind: those that are no calls lend their route, agent, tenant,
    user, session and feature to the calls under them. `parents` maps span id to parent span id for every span
    known of the trace; an observation's own parent is known without it.
    """
    known = {o.span_id: o for o in observations}
    if len(known) < len(observations):
        known = latest(observations)
    tree = {**parents, **{o.span_id: o.parent_span_id for o in known.values()}}
    calls = [o for o in known.values() if o.facts.kind.is_call]
    adopted = _adopted(calls, tree)
    tree.update(adopted)
    if not adopted and stand_apart(calls, known, tree):
        members, attempts = [[call] for call in calls], frozenset[str]()
    else:
        tree = without_circles(tree)
        members, attempts = _merged(sorted(calls, key=_place), tree)
    lineage = Lineage(known, tree)
    groups = [_group(observed, lineage, attempts) for observed in members]
    return sorted(groups, key=lambda g: (g.start_ns, g.span_id))


def stand_apart(
    calls: Sequence[Observation], known: Mapping[str, Observation], tree: Mapping[str, str]
) -> bool:
    """Whether each call is one by itself, seen quickly: none has a call above it, none a sibling of another scope.

    So it is with most traces, and the rules of nesting and of standing side by side then have nothing to decide.
    False where that cannot be told so, as with circles. Linear: every way up is walked once.
    """
    scopes: dict[str, str] = {}
    clear = {""}  # spans that are no calls and have none above them
    longest = len(tree)
    for call in calls:
        span = call.parent_span_id
        if scopes.setdefault(span, call.scope) != call.scope:
            return False
        way: list[str] = []
        while span not in clear:
            above = known.get(span)
            if len(way) > longest or (above is not None and above.facts.kind.is_call):
                return False
            way.append(span)
            span = tree.get(span, "")
        clear.update(way)
    return True


def _adopted(calls: Sequence[Observation], tree: Mapping[str, str]) -> dict[str, str]:
    """Of gateways' records without a known parent, the call that each is nested in (rule 3)."""
    orphans = [
        o
        for o in calls
        if o.scope == GATEWAY and o.facts.response_id is not None and o.parent_span_id
        if o.parent_span_id not in tree
    ]
    if not orphans:
        return {}
    told: dict[tuple[str | None, Kind], list[Observation]] = defaultdict(list)
    for one in calls:
        if one.scope != GATEWAY:
            told[one.facts.response_id, one.facts.kind].append(one)
    found = {}
    for orphan in orphans:
        around = [o for o in told[orphan.facts.response_id, orphan.facts.kind] if _inside(orphan, o)]
        if around:
            found[orphan.span_id] = max(around, key=_place).span_id
    return found


def _merged(
    calls: list[Observation], tree: Mapping[str, str]
) -> tuple[list[list[Observation]], frozenset[str]]:
    """The observations of each call, the outermost first, by rules 2 to 4; and which of them are attempts, by the id of
    their outermost span. `calls` are in order of place.
    """
    nodes = _side_by_side(calls, tree)
    _plant(nodes, tree)
    _mark_repeating(nodes)
    _nest(nodes)
    chains = [chain for node in nodes if not node.taken and (chain := _chain(node)) is not None]
    counted = {id(node) for chain in chains for node in chain}
    attempts = frozenset(
        chain[0].outermost.span_id
        for chain in chains
        if chain[0].outermost.error and chain[0].parent is not None and id(chain[0].parent) in counted
    )
    return [[o for node in chain for o in node.members] for chain in chains], attempts


def latest(observations: Iterable[Observation]) -> dict[str, Observation]:
    """One observation per span id: of the later sequence, or of a fixed choice among equals."""
    found: dict[str, Observation] = {}
    for observation in observations:
        held = found.get(observation.span_id)
        if held is None or _precedence(observation, held):
            found[observation.span_id] = observation
    return found


def _precedence(new: Observation, held: Observation) -> bool:
    if new.sequence != held.sequence:
        return new.sequence > held.sequence
    return new != held and repr(new) > repr(held)


def _place(o: Observation) -> tuple[int, int, str]:
    """Earlier start first, then the longer one, then by id: an outer span comes before what it holds."""
    return (o.start_ns, -o.end_ns, o.span_id)


def total_tokens(facts: Facts) -> int | None:
    """All known tokens of an observation, or None when it knows none."""
    if facts.usage is None:
        return None
    whole, output = facts.usage.input_total, facts.usage.output
    return None if whole is None and output is None else (whole or 0) + (output or 0)


def _node(members: list[Observation]) -> Node:
    ids = [o.facts.response_id for o in members if o.facts.response_id is not None]
    totals = [t for o in members if (t := total_tokens(o.facts)) is not None]
    models: frozenset[str] = frozenset().union(*(model_keys(o.facts) for o in members))
    return Node(members, ids[0] if ids else None, totals[-1] if totals else None, models)


def _inside(inner: Observation, outer: Observation) -> bool:
    return (
        outer.start_ns - TOLERANCE_NS <= inner.start_ns <= outer.end_ns + TOLERANCE_NS
        and inner.end_ns <= outer.end_ns + TOLERANCE_NS
    )


def _side_by_side(calls: list[Observation], tree: Mapping[str, str]) -> list[Node]:
    """Join siblings of different scopes that saw one call (rule 2)."""
    families: dict[tuple[str, Kind], list[Observation]] = defaultdict(list)
    for call in calls:
        families[tree[call.span_id], call.facts.kind].append(call)
    nodes: list[Node] = []
    for family in families.values():
        nodes += (
            _join_siblings(family) if len({o.scope for o in family}) > 1 else [_node([o]) for o in family]
        )
    return sorted(nodes, key=lambda n: _place(n.outermost))


def _join_siblings(family: list[Observation]) -> list[Node]:
    """Each sibling, in order of place, goes to the nearest earlier one that can be its outer span."""
    joined: list[list[Observation]] = []
    for inner in family:
        for members in reversed(joined[-NEIGHBOURS:]):
            if _same_beside(members, inner):
                members.append(inner)
                break
        else:
            joined.append([inner])
    return [_node(members) for members in joined]


def _same_beside(members: list[Observation], inner: Observation) -> bool:
    outer = members[0]
    if any(o.scope == inner.scope for o in members):
        return False
    if not (outer.start_ns <= inner.start_ns <= outer.end_ns and inner.end_ns <= outer.end_ns + TOLERANCE_NS):
        return False
    whole = _node(members)
    if whole.response_id is not None and inner.facts.response_id is not None:
        return whole.response_id == inner.facts.response_id
    if not compatible_models(whole.models, model_keys(inner.facts)):
        return False
    total = total_tokens(inner.facts)
    agreed = total is not None and total == whole.total
    return agreed or (outer.error and inner.error and total is None and whole.total is None)


def without_circles(tree: Mapping[str, str]) -> dict[str, str]:
    """The same tree where spans that are their own ancestor (malformed traces) have no parent. Linear."""
    sound = dict(tree)
    done: set[str] = set()
    for start in tree:
        way: dict[str, None] = {}
        span = start
        while span and span not in done and span not in way:
            way[span] = None
            span = tree.get(span, "")
        if span in way:
            steps = list(way)
            for step in steps[steps.index(span) :]:
                sound[step] = ""
        done.update(way)
    return sound


def _plant(nodes: list[Node], tree: Mapping[str, str]) -> None:
    """Set each node's nearest call ancestor. Linear: every way up is walked once."""
    by_span = {o.span_id: node for node in nodes for o in node.members}
    above: dict[str, Node | None] = {"": None}
    for node in nodes:
        way: list[str] = []
        span = tree[node.outermost.span_id]
        while span not in above and span not in by_span:
            way.append(span)
            span = tree.get(span, "")
        node.parent = by_span[span] if span in by_span else above[span]
        above.update((step, node.parent) for step in way)
        if node.parent is not None:
            node.parent.children.append(node)


def _mark_repeating(nodes: list[Node]) -> None:
    for node in nodes:
        well = [child for child in node.children if not child.outermost.error]
        node.repeats = node.response_id is None and len(well) > 1


def _match(outer: Node, inner: Node) -> int | None:
    """How well a child fits its ancestor: 3 by response id, 2 by equal totals, 1 by nothing against it."""
    one, two = outer.outermost, inner.outermost
    if one.facts.kind is not two.facts.kind or (two.error and one.scope == two.scope == GATEWAY):
        return None
    if outer.response_id is not None and inner.response_id is not None:
        return 3 if outer.response_id == inner.response_id else None
    if (two.error and not one.error) or not compatible_models(outer.models, inner.models):
        return None
    if not _inside(two, one):
        return None
    if outer.total is None or inner.total is None:
        return 1
    return 2 if outer.total == inner.total else None


def _nest(nodes: list[Node]) -> None:
    """Take children in, the best matches first (rule 3)."""
    edges: list[tuple[tuple[int, bool, int, str], Node, Node]] = []
    for inner in nodes:
        outer = inner.parent
        if outer is None or outer.repeats:
            continue
        match = _match(outer, inner)
        if match is not None:
            last = inner.outermost
            same_end = last.error == outer.outermost.error
            edges.append(((-match, not same_end, -last.end_ns, last.span_id), outer, inner))
    edges.sort(key=lambda edge: edge[0])
    ids = {id(node): node.response_id for node in nodes}
    heads = {id(node): node for node in nodes}
    for _, outer, inner in edges:
        above, below = _head(heads, outer), _head(heads, inner)
        one, two = ids[id(above)], ids[id(below)]
        if outer.inner is not None or inner.taken or (one is not None and two is not None and one != two):
            continue
        outer.inner, inner.taken = inner, True
        heads[id(below)] = above
        ids[id(above)] = one if one is not None else two


def _head(heads: dict[int, Node], node: Node) -> Node:
    """The outermost node of the chain that a node is in by now."""
    while heads[id(node)] is not node:
        heads[id(node)] = heads[id(heads[id(node)])]
        node = heads[id(node)]
    return node


def _chain(head: Node) -> list[Node] | None:
    """A call's nodes from the outside in, or None for an aggregate that only repeats its children (rule 4)."""
    chain = [head]
    while (inner := chain[-1].inner) is not None:
        chain.append(inner)
    last = chain[-1]
    if not last.repeats or any(node.response_id is not None for node in chain):
        return chain
    own = next((node.total for node in chain if node.total), None)
    below = [child.total for child in last.children if child.total]
    return None if own is None or own in below or own == sum(below) else chain


def _group(members: list[Observation], lineage: Lineage, attempts: frozenset[str]) -> Group:
    outermost = members[0]
    spans: tuple[str, ...]
    if len(members) == 1:  # as nearly always
        facts, sequence, spans = copied(outermost.facts), outermost.sequence, (outermost.span_id,)
    else:
        facts = combine([o.facts for o in members], [o.error for o in members])
        sequence, spans = max(o.sequence for o in members), tuple(o.span_id for o in members)
    lineage.lend(facts, members[-1].span_id)
    return Group(
        span_id=outermost.span_id,
        parent_span_id=outermost.parent_span_id,
        start_ns=outermost.start_ns,
        end_ns=outermost.end_ns,
        error=outermost.error,
        scope=outermost.scope,
        sequence=sequence,
        facts=facts,
        observations=spans,
        attempt=outermost.span_id in attempts,
    )
