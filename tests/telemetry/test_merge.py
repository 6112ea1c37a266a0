"""One call once: which observations of a trace are the same call, in any order and however often they came."""

from __future__ import annotations

import copy
import itertools
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from holdfast.pricing.model import Usage
from holdfast.telemetry.model import Content, ErrorClass, Facts, Kind, Observation
from holdfast.telemetry.rules import merge
from holdfast.telemetry.rules.merge import Group, resolve, without_circles
from holdfast.telemetry.rules.naming import family


def seen(
    span: str,
    parent: str = "",
    *,
    at: tuple[int, int] = (0, 100),
    id: str | None = None,
    tokens: int | None = None,
    model: str | None = "gpt-4o",
    kind: Kind = Kind.INFERENCE,
    error: bool = False,
    scope: str = "a",
    sequence: int = 1,
    **facts: Any,
) -> Observation:
    """An observation; `at` is in milliseconds, `tokens` its input."""
    usage = None if tokens is None else Usage(input_uncached=tokens, output=0)
    read = Facts(kind, "otel_genai", response_id=id, request_model=model, usage=usage, **facts)
    start, end = (instant * 1_000_000 for instant in at)
    return Observation(span, parent, start, end, error, scope, sequence, read)


def ids(calls: list[Group]) -> list[tuple[str, ...]]:
    return [call.observations for call in calls]


CASES = {
    "one span": ([seen("a", tokens=5)], [("a",)]),
    "nested with one response id": ([seen("a", id="r"), seen("b", "a", at=(1, 99), id="r")], [("a", "b")]),
    "three instrumentations deep": (
        [seen("a", id="r"), seen("b", "a", at=(1, 99)), seen("c", "b", at=(2, 98), id="r")],
        [("a", "b", "c")],
    ),
    "nested, the outer has no id and the same tokens": (
        [seen("a", tokens=9), seen("b", "a", at=(1, 99), id="r", tokens=9)],
        [("a", "b")],
    ),
    "nested, neither has an id nor tokens": ([seen("a"), seen("b", "a", at=(1, 99))], [("a", "b")]),
    "nested, a dated name of the same model": (
        [seen("a", model="gpt-4o"), seen("b", "a", at=(1, 99), model="openai/gpt-4o-2024-07-18")],
        [("a", "b")],
    ),
    "nested, another model": (
        [seen("a", model="gpt-4o"), seen("b", "a", at=(1, 99), model="gpt-4o-mini")],
        [("a",), ("b",)],
    ),
    "nested, other tokens": ([seen("a", tokens=9), seen("b", "a", at=(1, 99), tokens=4)], [("a",), ("b",)]),
    "nested, two ids": ([seen("a", id="r"), seen("b", "a", at=(1, 99), id="s")], [("a",), ("b",)]),
    "nested, outside the interval": ([seen("a"), seen("b", "a", at=(300, 400))], [("a",), ("b",)]),
    "nested, an embedding in an inference": (
        [seen("a", model=None), seen("b", "a", at=(1, 99), model=None, kind=Kind.EMBEDDINGS)],
        [("a",), ("b",)],
    ),
    "siblings with one id are two calls (a mock, a cached replay)": (
        [
            seen("t", kind=Kind.AGENT),
            seen("a", "t", at=(0, 40), id="r", tokens=9),
            seen("b", "t", at=(50, 90), id="r", tokens=9),
        ],
        [("a",), ("b",)],
    ),
    "siblings with one id at the same time and of one scope are two calls": (
        [seen("a", "t", at=(0, 90), id="r"), seen("b", "t", at=(10, 80), id="r")],
        [("a",), ("b",)],
    ),
    "siblings of two scopes, one inside the other, with one id": (
        [seen("a", "t", id="r", scope="x"), seen("b", "t", at=(1, 99), id="r", scope="y")],
        [("a", "b")],
    ),
    "siblings of two scopes one after the other are two calls": (
        [seen("a", "t", at=(0, 40), id="r", scope="x"), seen("b", "t", at=(50, 90), id="r", scope="y")],
        [("a",), ("b",)],
    ),
    "siblings of two scopes that both failed": (
        [seen("a", "t", scope="x", error=True), seen("b", "t", at=(1, 99), scope="y", error=True)],
        [("a", "b")],
    ),
    "siblings of two scopes of which nothing is known are two calls": (
        [seen("a", "t", scope="x"), seen("b", "t", at=(1, 99), scope="y")],
        [("a",), ("b",)],
    ),
    "two doubled calls with one mocked id, one after the other": (
        [
            seen("a", "t", at=(0, 40), id="r", scope="x"),
            seen("b", "t", at=(1, 39), id="r", scope="y"),
            seen("c", "t", at=(50, 90), id="r", scope="x"),
            seen("d", "t", at=(51, 89), id="r", scope="y"),
        ],
        [("a", "b"), ("c", "d")],
    ),
    "a retry: the failed attempt stays, the last one is the call": (
        [
            seen("a", id="r", tokens=9),
            seen("b", "a", at=(1, 30), error=True),
            seen("c", "a", at=(40, 99), id="r", tokens=9),
        ],
        [("a", "c"), ("b",)],
    ),
    "a retry without ids": (
        [seen("a"), seen("b", "a", at=(1, 30), error=True), seen("c", "a", at=(40, 99))],
        [("a", "c"), ("b",)],
    ),
    "a gateway's failed try below its failed call": (
        [
            seen("a", error=True, model="alias"),
            seen("b", "a", at=(1, 99), error=True, scope=merge.GATEWAY, asked_model="alias"),
            seen("c", "b", at=(2, 30), error=True, scope=merge.GATEWAY),
        ],
        [("a", "b"), ("c",)],
    ),
    "a gateway's record below a span that nobody told of": (
        [
            seen("a", "t", at=(0, 40), id="r"),
            seen("b", "t", at=(50, 100), id="r"),
            seen("c", "lost", at=(51, 99), id="r", scope=merge.GATEWAY),
            seen("d", "lost too", at=(51, 99), id="s", scope=merge.GATEWAY),
        ],
        [("a",), ("b", "c"), ("d",)],
    ),
    "a gateway behind a gateway": (
        [
            seen("a", id="r", scope=merge.GATEWAY),
            seen("b", "a", at=(1, 99), id="r", scope=merge.GATEWAY),
        ],
        [("a", "b")],
    ),
    "every attempt failed": (
        [
            seen("a", error=True),
            seen("b", "a", at=(1, 30), error=True),
            seen("c", "a", at=(40, 99), error=True),
        ],
        [("a", "c"), ("b",)],
    ),
    "children with ids of their own under one without: it only repeats them": (
        [
            seen("a", tokens=13),
            seen("b", "a", at=(1, 30), id="r", tokens=9),
            seen("c", "a", at=(40, 99), id="s", tokens=4),
        ],
        [("b",), ("c",)],
    ),
    "the same, its total that of the last": (
        [
            seen("a", tokens=4),
            seen("b", "a", at=(1, 30), id="r", tokens=9),
            seen("c", "a", at=(40, 99), id="s", tokens=4),
        ],
        [("b",), ("c",)],
    ),
    "the same, its total unknown": (
        [seen("a"), seen("b", "a", at=(1, 30), id="r"), seen("c", "a", at=(40, 99), id="s")],
        [("b",), ("c",)],
    ),
    "children with ids under one with tokens of its own: three calls": (
        [
            seen("a", tokens=100),
            seen("b", "a", at=(1, 30), id="r", tokens=9),
            seen("c", "a", at=(40, 99), id="s", tokens=4),
        ],
        [("a",), ("b",), ("c",)],
    ),
    "children with other ids under one with an id: three calls": (
        [
            seen("a", id="q", tokens=13),
            seen("b", "a", at=(1, 30), id="r", tokens=9),
            seen("c", "a", at=(40, 99), id="s", tokens=4),
        ],
        [("a",), ("b",), ("c",)],
    ),
    "a doubled pair under a wrapper without an id": (
        [
            seen("a", tokens=9),
            seen("b", "a", at=(1, 99), id="r", tokens=9, scope="x"),
            seen("c", "a", at=(2, 98), id="r", tokens=9, scope="y"),
        ],
        [("a", "b", "c")],
    ),
    "agents and tools are no calls": (
        [seen("t", kind=Kind.AGENT, tokens=9), seen("a", "t", tokens=9), seen("u", "t", kind=Kind.TOOL)],
        [("a",)],
    ),
}


@pytest.mark.parametrize(("observations", "expected"), CASES.values(), ids=CASES.keys())
def test_calls(observations: list[Observation], expected: list[tuple[str, ...]]) -> None:
    assert ids(resolve(observations, {})) == expected


@pytest.mark.parametrize("observations", [case[0] for case in CASES.values()], ids=CASES.keys())
def test_in_any_order(observations: list[Observation]) -> None:
    expected = resolve(observations, {})
    for order in itertools.permutations(observations):
        assert resolve(list(order), {}) == expected


def test_through_spans_that_are_no_observations() -> None:
    nested = [seen("a", id="r"), seen("b", "y", at=(1, 99), id="r")]
    assert ids(resolve(nested, {"y": "x", "x": "a"})) == [("a", "b")]
    assert ids(resolve(nested, {})) == [("a",), ("b",)]


def test_the_later_record_of_a_span_holds() -> None:
    early, late = seen("a", tokens=1, sequence=1), seen("a", tokens=2, sequence=2)
    for order in ((early, late), (late, early), (late, early, late)):
        (call,) = resolve(list(order), {})
        assert call.facts.usage == Usage(input_uncached=2, output=0)
        assert call.sequence == 2


def test_two_records_in_one_commit_are_chosen_between_alike_in_any_order() -> None:
    one, two = seen("a", tokens=1), seen("a", tokens=2)
    assert resolve([one, two], {}) == resolve([two, one], {})


def test_circles_do_not_trap_it() -> None:
    assert without_circles({"a": "b", "b": "a", "c": "a", "d": "d"}) == {"a": "", "b": "", "c": "a", "d": ""}
    trapped = [seen("a", "b", id="r"), seen("b", "a", id="r"), seen("c", "c", id="r")]
    assert len(resolve(trapped, {})) == 3


def test_facts_are_merged_field_by_field_and_never_added() -> None:
    outer = seen(
        "a",
        id="r",
        sequence=3,
        ttft_ms=9.0,
        streaming=None,
        system="shop",
        release="1.0",
        parameters={"seed": 1},
        provenance={
            "system": "service.name",
            "release": "service.version",
            "parameters.seed": "gen_ai.request.seed",
        },
        content=Content(input_messages=[{"role": "user", "parts": []}]),
    )
    inner = seen(
        "b",
        "a",
        at=(1, 99),
        id="r",
        sequence=7,
        ttft_ms=4.0,
        streaming=True,
        refusal=False,
        system="gateway",
        release="rel_2",
        finish_reasons=("stop",),
        parameters={"seed": 2, "top_p": 0.5},
        provenance={"system": "service.name", "release": "holdfast.release", "ttft_ms": "gen_ai.x"},
        content=Content(output_messages=[{"role": "assistant", "parts": []}]),
    )
    inner.facts.usage = Usage(input_uncached=100, input_cache_read=600, input_cache_write=300, output=50)
    outer.facts.usage = Usage(input_uncached=1000, output=50)
    (call,) = resolve([outer, inner], {})
    facts = call.facts
    assert facts.usage == inner.facts.usage
    assert (facts.ttft_ms, facts.streaming, facts.refusal) == (4.0, True, False)
    assert facts.finish_reasons == ("stop",)
    assert facts.system == "shop"
    assert facts.release == "rel_2"
    assert facts.parameters == {"seed": 1, "top_p": 0.5}
    assert facts.provenance["release"] == "holdfast.release"
    assert facts.provenance["ttft_ms"] == "gen_ai.x"
    assert facts.provenance["parameters.seed"] == "gen_ai.request.seed"
    assert facts.content == Content(
        input_messages=[{"role": "user", "parts": []}], output_messages=[{"role": "assistant", "parts": []}]
    )
    assert facts.quality == ()
    assert (call.sequence, call.error, call.start_ns) == (7, False, 0)


def test_of_two_full_usages_the_one_nearest_the_provider_holds_and_the_difference_is_named() -> None:
    outer, inner = seen("a", id="r", tokens=51), seen("b", "a", at=(1, 99), id="r", tokens=50)
    (call,) = resolve([outer, inner], {})
    assert call.facts.usage == Usage(input_uncached=50, output=0)
    assert call.facts.quality == ("merge.usage_disagrees",)


def test_a_usage_without_complaint_goes_before_a_fuller_one() -> None:
    outer = seen("a", id="r", tokens=50)
    inner = seen("b", "a", at=(1, 99), id="r", quality=("usage.total_below_parts", "content.malformed_json"))
    inner.facts.usage = Usage(input_uncached=1, input_cache_read=1, output=9)
    (call,) = resolve([outer, inner], {})
    assert call.facts.usage == outer.facts.usage
    assert call.facts.quality == ("content.malformed_json", "merge.usage_disagrees")


def test_a_call_failed_when_its_outermost_span_did() -> None:
    failed = seen("b", "a", at=(1, 99), id="r", error=True, error_class=ErrorClass.MODEL, error_type="x")
    (call,) = resolve([seen("a", id="r"), failed], {})
    assert (call.error, call.facts.error_class) == (False, None)
    (call,) = resolve([seen("a", id="r", error=True), failed], {})
    assert (call.error, call.facts.error_class, call.facts.error_type) == (True, ErrorClass.MODEL, "x")


def test_dimensions_come_down_from_ancestors_the_nearest_first() -> None:
    trace = [
        seen(
            "root",
            kind=Kind.WORKFLOW,
            route="refund",
            tenant="acme",
            provenance={"route": "gen_ai.workflow.name"},
        ),
        seen(
            "agent",
            "root",
            kind=Kind.AGENT,
            agent="clerk",
            tenant="globex",
            provenance={"tenant": "tenant.id"},
        ),
        seen("a", "x", at=(1, 9), session="s1", system=None),
    ]
    (call,) = resolve(trace, {"x": "agent"})
    facts = call.facts
    assert (facts.route, facts.agent, facts.tenant, facts.session) == ("refund", "clerk", "globex", "s1")
    assert facts.provenance["tenant"] == "tenant.id of span agent"
    assert facts.provenance["route"] == "gen_ai.workflow.name of span root"
    assert trace[2].facts.route is None, "the observation itself is not changed"


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ("gpt-4o-mini", "gpt-4o-mini-2024-07-18"),
        ("claude-sonnet-4-5", "claude-sonnet-4-5-20250929"),
        ("claude-sonnet-4-5", "us.anthropic.claude-sonnet-4-5-20250929-v1:0"),
        ("claude-3-5-sonnet-latest", "claude-3-5-sonnet@20241022"),
        ("openai/GPT-4o", "gpt-4o"),
        ("models/gemini-2.5-pro", "gemini-2.5-pro"),
    ],
)
def test_names_of_one_model(one: str, two: str) -> None:
    assert family(one) == family(two)


@pytest.mark.parametrize(("one", "two"), [("gpt-4o", "gpt-4o-mini"), ("gpt-4", "gpt-4.1"), ("o3", "o3-pro")])
def test_names_of_two_models(one: str, two: str) -> None:
    assert family(one) != family(two)


QUICK = (Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink)


@st.composite
def traces(draw: st.DrawFn) -> list[Observation]:
    """Small traces with every confusion: shared ids, missing ids, doubled spans, circles, late corrections."""
    names = "abcdef"
    found = []
    for _ in range(draw(st.integers(1, 7))):
        start = draw(st.integers(0, 8))
        found.append(
            seen(
                draw(st.sampled_from(names)),
                draw(st.sampled_from(["", *names])),
                at=(start * 10, start * 10 + draw(st.sampled_from((5, 40, 95)))),
                id=draw(st.sampled_from((None, "r", "s"))),
                tokens=draw(st.sampled_from((None, 0, 4, 8))),
                model=draw(st.sampled_from((None, "gpt-4o", "gpt-4o-mini"))),
                kind=draw(st.sampled_from((Kind.INFERENCE, Kind.INFERENCE, Kind.EMBEDDINGS, Kind.AGENT))),
                error=draw(st.booleans()),
                scope=draw(st.sampled_from("xy")),
                sequence=draw(st.integers(1, 3)),
                route=draw(st.sampled_from((None, "one", "two"))),
            )
        )
    return found


@settings(max_examples=200, deadline=None, phases=QUICK)
@given(traces(), st.randoms(use_true_random=False))
def test_neither_order_nor_repetition_changes_the_calls(trace: list[Observation], random: Any) -> None:
    expected = resolve(trace, {})
    again = trace + [random.choice(trace) for _ in range(random.randrange(4))]
    random.shuffle(again)
    assert resolve(again, {}) == expected


@settings(max_examples=200, deadline=None, phases=QUICK)
@given(traces())
def test_every_observation_is_in_one_call_at_most_and_no_call_has_two_ids(trace: list[Observation]) -> None:
    calls = resolve(trace, {})
    merged = [span for call in calls for span in call.observations]
    assert len(merged) == len(set(merged))
    held = {o.span_id: o for o in sorted(trace, key=lambda o: (o.sequence, repr(o)))}
    for call in calls:
        assert call.span_id == call.observations[0]
        assert all(
            held[span].facts.kind is call.facts.kind and call.facts.kind.is_call for span in call.observations
        )
        assert len({held[span].facts.response_id for span in call.observations} - {None}) <= 1
    dropped = {o.span_id for o in held.values() if o.facts.kind.is_call} - set(merged)
    assert all(held[span].facts.response_id is None for span in dropped), (
        "only what repeats others is dropped"
    )
    if any(o.facts.kind.is_call for o in held.values()):
        assert calls


@settings(max_examples=500, deadline=None, phases=QUICK)
@given(traces(), st.booleans())
def test_the_quick_way_gives_what_the_rules_give(trace: list[Observation], mostly_apart: bool) -> None:
    if mostly_apart:  # so that the quick way is taken often: one scope, and few calls with spans under them
        for observation in trace:
            observation.scope = "x"
            if observation.span_id in {o.parent_span_id for o in trace}:
                observation.facts.kind = Kind.AGENT
    given_before = copy.deepcopy(trace)
    quick = resolve(trace, {})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(merge, "stand_apart", lambda *_: False)
        assert resolve(trace, {}) == quick
    assert trace == given_before, "what calls inherit is not written into the observations"


def test_what_can_be_told_quickly() -> None:
    def told(*trace: Observation) -> bool:
        known = merge.latest(trace)
        calls = [o for o in known.values() if o.facts.kind.is_call]
        return merge.stand_apart(calls, known, {o.span_id: o.parent_span_id for o in known.values()})

    root = seen("t", kind=Kind.AGENT)
    assert told(root, seen("a", "t"), seen("b", "t"), seen("c", "gone"))
    assert not told(root, seen("a", "t"), seen("b", "t", scope="b"))
    assert not told(seen("a"), seen("t", "a", kind=Kind.AGENT), seen("b", "t"))
    assert not told(seen("t", "u", kind=Kind.AGENT), seen("u", "t", kind=Kind.AGENT), seen("a", "t"))
    assert not told(seen("a", "a"))


def test_a_deep_and_a_wide_trace_take_linear_time() -> None:
    deep = [seen(str(n), str(n - 1) if n else "", at=(n, 99_999 - n), id=str(n)) for n in range(5_000)]
    assert len(resolve(deep, {})) == 5_000
    wide = [seen(str(n), "t", at=(n, n + 1), scope="xy"[n % 2], id=str(n)) for n in range(5_000)]
    assert len(resolve(wide, {})) == 5_000
    steps = [seen(str(n), str(n - 1) if n else "", kind=Kind.AGENT) for n in range(5_000)]
    assert len(resolve([*steps, *(seen(f"c{n}", str(n)) for n in range(5_000))], {})) == 5_000


def test_what_a_cache_answered_used_nothing_whatever_was_read_in_the_answer() -> None:
    paid = seen("a", id="r", tokens=9, reported_cost=Decimal("0.5"))
    paid.facts.usage = Usage(
        input_uncached=9, input_cache_read=3, output=2
    )  # it read more than the gateway states
    hit = seen("b", "a", at=(1, 99), id="r", tokens=0, scope="b", cache_hit=True, reported_cost=Decimal(0))
    [call] = resolve([paid, hit], {})
    assert call.observations == ("a", "b")
    assert call.facts.usage == Usage(input_uncached=0, output=0)
    assert call.facts.reported_cost == 0
    assert call.facts.quality == ()
