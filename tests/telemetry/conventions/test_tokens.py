"""Token counts become exclusive buckets that add up, or an honest refusal."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.pricing.rules.usage import check
from holdfast.telemetry.conventions.convention import ScopeOverride
from holdfast.telemetry.conventions.reading import read_facts
from holdfast.telemetry.conventions.tokens import partition
from telemetry.conventions.spans import buckets, span

READ, WRITE, REASONING = "input_cache_read", "input_cache_write", "output_reasoning"


@pytest.mark.parametrize(
    ("counts", "includes_cache", "expected", "codes"),
    [
        pytest.param({"input": 10, "output": 5}, True, (10, None, None, 5, None), [], id="plain"),
        pytest.param(
            {"input": 1000, READ: 600, WRITE: 300, "output": 50, REASONING: 20},
            True,
            (100, 600, 300, 50, 20),
            [],
            id="inclusive",
        ),
        pytest.param(
            {"input": 100, READ: 600, WRITE: 300, "output": 50},
            False,
            (100, 600, 300, 50, None),
            [],
            id="raw Anthropic: exclusive",
        ),
        pytest.param(
            {"input": 117231, READ: 115584, "output": 225, "total": 117456},
            True,
            (1647, 115584, None, 225, None),
            [],
            id="OpenAI Responses: cached is a subset",
        ),
        pytest.param(
            {"input": 1486, READ: 1408, "output": 651, REASONING: 512, "total": 2137},
            True,
            (78, 1408, None, 651, 512),
            [],
            id="OpenAI: reasoning is a subset",
        ),
        pytest.param(
            {"input": 100, READ: 600, WRITE: 300, "output": 50, "total": 1050},
            True,
            (100, 600, 300, 50, None),
            ["usage.cache_outside_input"],
            id="the total shows an exclusive input",
        ),
        pytest.param(
            {"input": 100, READ: 600, WRITE: 300, "output": 50, "total": 1050},
            False,
            (100, 600, 300, 50, None),
            [],
            id="the total bears out what the scope says",
        ),
        pytest.param(
            {"input": 20, "output": 30, REASONING: 40, "total": 90},
            True,
            (20, None, None, 70, 40),
            ["usage.reasoning_outside_output"],
            id="Gemini: thoughts are not in the candidates",
        ),
        pytest.param(
            {"input": 758, "output": 102, "total": 1725},
            True,
            (758, None, None, 967, None),
            ["usage.total_exceeds_parts"],
            id="hidden thinking counts as output",
        ),
        pytest.param(
            {"input": 100, READ: 600, "output": 50, "total": 800},
            False,
            (100, 600, None, 100, None),
            ["usage.total_exceeds_parts"],
            id="surplus beyond an exclusive cache",
        ),
        pytest.param(
            {"input": 100, "output": 50, "total": 7},
            True,
            (100, None, None, 50, None),
            ["usage.total_below_parts"],
            id="the parts stay",
        ),
        pytest.param(
            {"input": 5, READ: 128955, "output": 10},
            True,
            (None, None, None, 10, None),
            ["usage.part_exceeds_whole"],
            id="impossible input: unknown, the output stays",
        ),
        pytest.param(
            {"input": 5, "output": 10, REASONING: 11},
            True,
            (5, None, None, None, None),
            ["usage.part_exceeds_whole"],
            id="impossible output: unknown, the input stays",
        ),
        pytest.param(
            {READ: 5}, True, (None, 5, None, None, None), ["usage.whole_missing"], id="a part without a whole"
        ),
        pytest.param(
            {"input_uncached": 100, "input": 1000, READ: 600, WRITE: 300, "output": 1},
            True,
            (100, 600, 300, 1, None),
            [],
            id="the source splits the input itself",
        ),
    ],
)
def test_partition(
    counts: dict[str, int], includes_cache: bool, expected: tuple[int | None, ...], codes: list[str]
) -> None:
    usage, met = partition(counts, includes_cache)
    assert buckets(usage) == expected
    assert met == codes


def test_nothing_known_is_none_and_not_zero() -> None:
    assert partition({}) == (None, [])
    assert partition({"input": 1, READ: 2}) == (None, ["usage.part_exceeds_whole"])


def test_cache_writes_split_by_lifetime() -> None:
    usage, codes = partition(
        {"input": 1000, "input_cache_write_5m": 200, "input_cache_write_1h": 100, "output": 1}
    )
    assert usage is not None and codes == []
    assert (usage.input_uncached, usage.input_cache_write) == (700, 300)
    assert (usage.input_cache_write_5m, usage.input_cache_write_1h) == (200, 100)
    usage, codes = partition({"input": 1000, WRITE: 100, "input_cache_write_5m": 200})
    assert usage is not None and codes == ["usage.part_exceeds_whole"]
    assert (usage.input_uncached, usage.input_cache_write, usage.input_cache_write_5m) == (900, 100, None)


def test_a_modality_larger_than_its_whole_is_dropped_alone() -> None:
    usage, codes = partition({"input": 10, "output": 5, "input_audio": 11, "output_audio": 3})
    assert usage is not None and codes == ["usage.part_exceeds_whole"]
    assert (usage.input_audio, usage.output_audio, usage.input_uncached) == (None, 3, 10)


@given(
    st.dictionaries(
        st.sampled_from(
            (
                *("input", "output", "total", "input_uncached", READ, WRITE, REASONING, "input_audio"),
                *("input_cache_write_5m", "input_cache_write_1h", "output_audio", "cache_read_audio"),
                *("input_image", "output_image"),
            )
        ),
        st.integers(0, 50),
    ),
    st.booleans(),
    st.booleans(),
)
def test_buckets_are_never_negative_and_subsets_never_exceed(
    counts: dict[str, int], includes_cache: bool, includes_reasoning: bool
) -> None:
    usage, codes = partition(counts, includes_cache, includes_reasoning)
    if usage is None:
        return
    assert check(usage) == [], "what pricing holds to be impossible is never handed to it"
    assert all((count or 0) >= 0 for count in usage)
    assert (usage.output_reasoning or 0) <= (usage.output or 0)
    assert (usage.input_cache_write_5m or 0) + (usage.input_cache_write_1h or 0) <= (
        usage.input_cache_write or 0
    )
    assert (usage.input_audio or 0) <= (usage.input_total or 0)
    if (
        not codes
        and "total" in counts
        and {"input", "output"} <= counts.keys()
        and "input_uncached" not in counts
    ):
        assert counts["total"] in (usage.input_total + usage.output, counts["input"] + counts["output"])


ATTRIBUTES = {
    "gen_ai.operation.name": "chat",
    "gen_ai.request.model": "m",
    "gen_ai.usage.input_tokens": 100,
    "gen_ai.usage.cache_read.input_tokens": 60,
    "gen_ai.usage.output_tokens": 10,
    "gen_ai.usage.reasoning.output_tokens": 4,
}


def test_a_caller_may_say_how_a_scope_counts() -> None:
    mine = {"my.client": ScopeOverride(input_includes_cache=False, output_includes_reasoning=False)}
    assert buckets(read_facts(span(ATTRIBUTES, scope_name="my.client.chat"), mine).usage) == (
        100,
        60,
        None,
        14,
        4,
    )
    assert buckets(read_facts(span(ATTRIBUTES, scope_name="my.clients"), mine).usage) == (40, 60, None, 10, 4)


def test_the_callers_override_goes_before_the_built_in_one() -> None:
    scope = "openlit.instrumentation.anthropic"
    assert buckets(read_facts(span(ATTRIBUTES, scope_name=scope)).usage) == (100, 60, None, 10, 4)
    mine = {scope: ScopeOverride(input_includes_cache=True)}
    assert buckets(read_facts(span(ATTRIBUTES, scope_name=scope), mine).usage) == (40, 60, None, 10, 4)
