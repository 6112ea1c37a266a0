"""Results of a batch line by line, and the bound of its requests."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from holdfast.gateway.model import Dialect
from holdfast.gateway.rules.batches import Lines, Results, Tally, asked_as, standing
from holdfast.pricing.model import Rates
from holdfast.pricing.rules.charge import charge

BANDED = Rates(
    "USD",
    "list",
    None,
    (200, 900),
    tuple({"input_uncached": Decimal(n), "output": Decimal(5 * n)} for n in (1, 2, 3)),
    ("p", "p:over-200", "p:over-900"),
)
SIZES = st.lists(st.tuples(st.integers(0, 1500), st.integers(0, 50)), max_size=60)


def result(read: int, wrote: int, model: str = "m") -> bytes:
    used = {"prompt_tokens": read, "completion_tokens": wrote, "total_tokens": read + wrote}
    return json.dumps({"response": {"status_code": 200, "body": {"model": model, "usage": used}}}).encode()


@given(SIZES)
def test_parts_cost_what_their_summed_usage_does_and_together_what_the_lines_do(
    sizes: list[tuple[int, int]],
) -> None:
    found = Results(Dialect.OPENAI, {"m": BANDED}, ("m",))
    alone = Decimal(0)
    for read, wrote in sizes:
        line = Results(Dialect.OPENAI, {"m": BANDED}, ("m",))
        for one in (found, line):
            one.line(result(read, wrote))
        alone += line.parts[0].cost or 0
    for part in found.parts:
        assert charge(part.usage, BANDED).amount == part.cost
    assert sum((part.cost or Decimal(0) for part in found.parts), Decimal(0)) == alone
    assert sum(part.answered for part in found.parts) == len(sizes)
    assert sum(part.usage.output or 0 for part in found.parts) == sum(wrote for _, wrote in sizes)


def test_one_part_for_a_model_whose_price_has_no_bands() -> None:
    flat = Rates("USD", "list", None, (), BANDED.bands[:1], ("p",))
    found = Results(Dialect.OPENAI, {"a": flat, "b": flat})
    for number in range(50):
        found.line(result(10_000, 1, "ab"[number % 2] + "-2026"))
    assert [(part.model, part.answered) for part in found.parts] == [("a", 25), ("b", 25)]


def test_lines_that_failed_cost_nothing_and_those_that_cannot_be_read_are_unknown() -> None:
    found = Results(Dialect.OPENAI, {})
    for line in (
        b'{"response": {"status_code": 500, "body": {"usage": {"prompt_tokens": 9}}}}',
        b'{"response": null, "error": {"code": "batch_expired"}}',
    ):
        found.line(line)
    for line in (
        b"{",
        b'{"response": {"status_code": 200, "body": {}}}',
        b'{"response": {"status_code": 200, "body": 1}}',
    ):
        found.line(line)
    assert (found.failed, found.unknown, found.parts) == (2, 3, [])
    found.line(result(1, 1, "nobody-knows"))
    assert found.parts[0].cost is None


@given(
    st.lists(st.binary(max_size=9).filter(lambda line: b"\n" not in line), max_size=9),
    st.integers(1, 7),
    st.booleans(),
)
def test_lines_over_any_cuts(lines: list[bytes], cut: int, closed: bool) -> None:
    whole = b"\n".join(lines) + (b"\n" if closed else b"")
    cutter = Lines()
    found = [line for at in range(0, len(whole), cut) for line in cutter.feed(whole[at : at + cut])]
    assert [*found, *cutter.end()] == [line for line in lines if line.strip()]


def request(**body: Any) -> bytes:
    made = {"model": "m", "messages": [{"role": "user", "content": "hi"}], "max_tokens": 10, **body}
    return json.dumps({"custom_id": "a", "url": "/v1/chat/completions", "body": made}).encode()


def test_the_bound_of_a_batch_is_the_sum_of_its_requests() -> None:
    one, two = Tally("up", Dialect.OPENAI, {"m": BANDED}), Tally("up", Dialect.OPENAI, {"m": BANDED})
    one.line(request())
    two.line(request())
    two.line(request(n=3))
    first, both = one.most(), two.most()
    assert (first.reason, first.lines, both.lines, both.models) == ("", 1, 2, ("m",))
    assert both.amount > 2 * first.amount
    two.line(request(model="free"))
    assert two.most().reason == "request 3 of the batch: the model has no price"


def test_a_model_that_answers_under_a_longer_name() -> None:
    assert asked_as("gpt-4o-mini-2024-07-18", (), {"gpt-4o": BANDED, "gpt-4o-mini": BANDED}) == "gpt-4o-mini"
    assert asked_as("served-by", ("alias",), {}) == "alias"
    assert asked_as("x", ("a", "b"), {}) == "x"


def test_what_is_no_batch() -> None:
    for raw in (b"", b"[]", b'{"id": 1}', b'{"id": "a"}', b'{"error": {}}'):
        assert standing(raw) is None
    running = standing(b'{"id": "b", "status": "finalizing", "output_file_id": null}')
    assert running is not None
    assert not running.over
