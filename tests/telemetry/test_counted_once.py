"""Every span and every call counted once: however often, in which order and company they come, restarts between."""

from __future__ import annotations

import hashlib
import random
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from otlp_made import CHAT, MILLISECOND, body, request, span
from running_core import CoreProcess, Workspace

pytestmark = pytest.mark.timeout(1200)

MINUTE_NS = 60 * 10**9


@pytest.fixture(scope="module")
def restartable(
    tmp_path_factory: pytest.TempPathFactory, new_stores: Callable[[], dict[str, str]]
) -> Iterator[CoreProcess]:
    """A core that a test may stop and start."""
    made = CoreProcess(tmp_path_factory.mktemp("once") / "data", min_free_bytes=1, **new_stores())
    try:
        yield made.start()
    finally:
        made.stop()


def restart(core: CoreProcess, *, how: str) -> None:
    if how == "kill":
        core.kill()
    else:
        core.stop()
    core.start()


def anthropic(trace: str, outer: str, inner: str, at: int, *, between: str = "") -> tuple[Span, Span]:
    """One request seen by an instrumentation and, inside, by the SDK itself."""
    told: dict[str, Any] = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "anthropic",
        "gen_ai.request.model": "claude-sonnet-4-5",
        "gen_ai.response.model": "claude-sonnet-4-5-20250929",
        "gen_ai.response.id": f"msg_{trace[:8]}",
        "gen_ai.usage.input_tokens": 1000,
        "gen_ai.usage.output_tokens": 50,
        "gen_ai.usage.cache_read.input_tokens": 600,
        "gen_ai.usage.cache_write.input_tokens": 300,
    }
    one = span(trace, outer, start_ns=at, duration_ms=100, attributes=told, name="chat claude-sonnet-4-5")
    two = span(
        trace,
        inner,
        between or outer,
        start_ns=at + MILLISECOND,
        duration_ms=98,
        attributes=told,
        name="messages",
    )
    return one, two


def expect_the_price(workspace: Workspace) -> None:
    """One call of 100 uncached + 600 read + 300 written + 50 output tokens, for $0.002355, once."""
    [call] = workspace.calls()
    tokens = tuple(
        call[f"{name}_tokens"]
        for name in ("input_uncached", "input_cache_read", "input_cache_write", "output")
    )
    assert tokens == (100, 600, 300, 50)
    assert float(call["cost_amount"]) == 0.002355
    assert workspace.count() == (1, 2)


@pytest.mark.parametrize("order", ["together", "outer first", "inner first"])
def test_a_nested_pair_is_one_call(core: CoreProcess, workspace: Workspace, order: str) -> None:
    one, two = anthropic(
        hashlib.md5(order.encode()).hexdigest(), "0a" * 8, "0b" * 8, time.time_ns() - MINUTE_NS
    )
    sent = {"together": [[one, two]], "outer first": [[one], [two]], "inner first": [[two], [one]]}[order]
    for group in sent:
        assert workspace.post(body(group, scope=f"scope-{len(group)}-{group[0].name}")).content == b""
        workspace.count()  # counted before the next arrives
    expect_the_price(workspace)
    for group in reversed(sent):
        assert workspace.post(body(group, scope=f"scope-{len(group)}-{group[0].name}")).content == b""
    expect_the_price(workspace)


@pytest.mark.slow
@pytest.mark.rotating(4)
@pytest.mark.parametrize("how", ["stop", "kill"])
@pytest.mark.parametrize("first", ["outer", "inner"])
def test_a_nested_pair_is_one_call_over_a_restart(restartable: CoreProcess, how: str, first: str) -> None:
    workspace = restartable.workspace()
    pair = anthropic(
        hashlib.md5((how + first).encode()).hexdigest(), "0a" * 8, "0b" * 8, time.time_ns() - MINUTE_NS
    )
    one, two = pair if first == "outer" else reversed(pair)
    assert workspace.post(body([one])).content == b""
    if how == "stop":
        assert workspace.count() == (1, 1)
    restart(restartable, how=how)
    assert workspace.count() == (1, 1)
    assert workspace.post(body([two])).content == b""
    expect_the_price(workspace)
    restart(restartable, how=how)
    expect_the_price(workspace)


@pytest.mark.slow
def test_the_span_between_that_comes_last_and_then_a_kill(restartable: CoreProcess) -> None:
    """The middle span is no call itself, but joins the two around it."""
    workspace = restartable.workspace()
    at = time.time_ns() - MINUTE_NS
    one, two = anthropic("5c" * 16, "0a" * 8, "0b" * 8, at, between="0c" * 8)
    middle = span("5c" * 16, "0c" * 8, "0a" * 8, start_ns=at, attributes={"http.method": "POST"}, name="POST")
    assert workspace.post(body([one])).content == b""
    assert workspace.post(body([two])).content == b""
    assert workspace.count() == (2, 2)
    assert workspace.post(body([middle])).content == b""
    restartable.kill()
    restartable.start()
    assert workspace.count() == (1, 3)


def test_a_corrected_span_replaces_the_first(workspace: Workspace) -> None:
    at = time.time_ns() - MINUTE_NS
    first = span("7a" * 16, "7b" * 8, start_ns=at)
    moved = {**CHAT, "gen_ai.usage.input_tokens": 77}
    later = span("7a" * 16, "7b" * 8, start_ns=at + 5_000 * MILLISECOND, attributes=moved)
    earlier_month = span("7a" * 16, "7b" * 8, start_ns=at - 70 * 86_400 * 10**9, attributes=moved)
    for sent in (first, later, earlier_month, later):
        assert workspace.post(body([sent])).content == b""
        assert workspace.count() == (1, 1)
        [call] = workspace.calls()
        assert call["input_uncached_tokens"] == (10 if sent is first else 77)
    none = span("7a" * 16, "7b" * 8, start_ns=at, attributes={"http.method": "POST"})
    assert workspace.post(body([none])).content == b""
    assert workspace.count() == (0, 1)


def test_equal_ids_in_two_traces_are_two_spans(workspace: Workspace) -> None:
    at = time.time_ns() - MINUTE_NS
    pair = [span("8a" * 16, "8c" * 8, start_ns=at), span("8b" * 16, "8c" * 8, start_ns=at)]
    assert workspace.post(body(pair)).content == b""
    assert workspace.count() == (2, 2)


def random_trace(rng: random.Random, at: int) -> tuple[list[Span], int]:
    """A trace of random shape, and how many calls it holds: counted as it is made, not as it is read."""
    trace = rng.randbytes(16).hex()
    made: list[Span] = []
    calls = 0
    root = span(
        trace,
        rng.randbytes(8).hex(),
        start_ns=at,
        duration_ms=60_000,
        name="POST /ask",
        attributes={"a": "b"},
    )
    made.append(root)
    for number in range(rng.randint(1, 6)):
        start = at + number * 5_000 * MILLISECOND
        parent = root
        if rng.random() < 0.4:  # a span between, of no kind
            parent = span(
                trace,
                rng.randbytes(8).hex(),
                root.span_id.hex(),
                start_ns=start,
                duration_ms=4_000,
                attributes={"s": number},
            )
            made.append(parent)
        told = {**CHAT, "gen_ai.response.id": f"r{rng.randrange(10**9)}"}
        outer = span(
            trace,
            rng.randbytes(8).hex(),
            parent.span_id.hex(),
            start_ns=start,
            duration_ms=1_000,
            attributes=told,
        )
        made.append(outer)
        calls += 1
        if rng.random() < 0.5:  # the same request, seen once more inside
            inner = span(
                trace, rng.randbytes(8).hex(), outer.span_id.hex(), start_ns=start + MILLISECOND, duration_ms=990,
                attributes=told,
            )  # fmt: skip
            made.append(inner)
    return made, calls


def send_in_random_company(rng: random.Random, workspace: Workspace, spans: list[Span]) -> None:
    """Every span at least once, in random order, grouping and repetition."""
    queue = spans * rng.randint(1, 2) + rng.sample(spans, len(spans) // 3)
    rng.shuffle(queue)
    while queue:
        size = rng.randint(1, 12)
        group, queue = queue[:size], queue[size:]
        unique = list({one.span_id: one for one in group}.values())
        sent = request(unique[: len(unique) // 2])
        sent.MergeFrom(request(unique[len(unique) // 2 :]))
        assert workspace.post(sent.SerializeToString()).content == b""


@pytest.mark.parametrize("seed", range(4))
def test_random_traces_in_random_company(workspace: Workspace, seed: int) -> None:
    rng = random.Random(seed)
    at = time.time_ns() - 10 * MINUTE_NS
    traces = [random_trace(rng, at - rng.randrange(10**12)) for _ in range(12)]
    spans = [one for made, _ in traces for one in made]
    expected = (sum(calls for _, calls in traces), len(spans))
    send_in_random_company(rng, workspace, spans)
    assert workspace.count() == expected
    send_in_random_company(rng, workspace, rng.sample(spans, len(spans) // 2))
    assert workspace.count() == expected


@pytest.mark.slow
def test_random_traces_in_random_company_over_restarts(restartable: CoreProcess) -> None:
    rng = random.Random(99)
    workspace = restartable.workspace()
    at = time.time_ns() - 10 * MINUTE_NS
    traces = [random_trace(rng, at - rng.randrange(10**12)) for _ in range(30)]
    spans = [one for made, _ in traces for one in made]
    rng.shuffle(spans)
    parts = [spans[start::4] for start in range(4)]
    for number, part in enumerate(parts):
        send_in_random_company(rng, workspace, part)
        send_in_random_company(rng, workspace, rng.sample(parts[0], 5))
        restart(restartable, how="kill" if number % 2 else "stop")
    assert workspace.count() == (sum(calls for _, calls in traces), len(spans))
    send_in_random_company(rng, workspace, rng.sample(spans, 40))
    assert workspace.count() == (sum(calls for _, calls in traces), len(spans))
