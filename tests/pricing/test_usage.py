"""Raw usage objects become exclusive buckets, and what cannot be is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.pricing.model import Usage
from holdfast.pricing.rules import usage as rules

count = st.integers(0, 10**7)


def test_openai_cached_and_reasoning_are_subsets() -> None:
    partition = rules.partition_openai(
        {
            "prompt_tokens": 1486,
            "completion_tokens": 651,
            "total_tokens": 2137,
            "prompt_tokens_details": {"cached_tokens": 1408, "audio_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": 512},
        }
    )
    assert partition.problems == ()
    assert partition.usage == Usage(
        input_uncached=78, input_cache_read=1408, output=651, output_reasoning=512, input_audio=0
    )


def test_openai_responses_with_cache_writes() -> None:
    usage = rules.partition_openai(
        {
            "input_tokens": 1000,
            "input_tokens_details": {"cached_tokens": 600, "cache_write_tokens": 300},
            "output_tokens": 5,
        }
    ).usage
    assert (usage.input_uncached, usage.input_cache_read, usage.input_cache_write) == (100, 600, 300)


def test_hidden_thinking_is_billed_as_output_and_noted() -> None:
    partition = rules.partition_openai({"completion_tokens": 102, "prompt_tokens": 758, "total_tokens": 1725})
    assert partition.usage.output == 967
    assert [problem.code for problem in partition.problems] == ["usage.parts_do_not_add_up"]


def test_anthropic_input_excludes_the_cache() -> None:
    usage = rules.partition_anthropic(
        {
            "input_tokens": 5,
            "cache_read_input_tokens": 128955,
            "cache_creation_input_tokens": 1253,
            "cache_creation": {"ephemeral_5m_input_tokens": 1000, "ephemeral_1h_input_tokens": 253},
            "output_tokens": 7,
        }
    ).usage
    assert usage.input_total == 130213
    assert (usage.input_cache_write_5m, usage.input_cache_write_1h) == (1000, 253)


def test_anthropic_compaction_is_added() -> None:
    usage = rules.partition_anthropic(
        {
            "input_tokens": 10,
            "output_tokens": 20,
            "iterations": [
                {"type": "compaction", "input_tokens": 1000, "output_tokens": 50},
                {"type": "message", "input_tokens": 10, "output_tokens": 20},
            ],
        }
    ).usage
    assert (usage.input_uncached, usage.output) == (1010, 70)


@pytest.mark.parametrize("camel", [True, False])
def test_gemini_thoughts_and_tool_prompts_come_on_top(camel: bool) -> None:
    raw: dict[str, object] = {
        "promptTokenCount": 100,
        "cachedContentTokenCount": 40,
        "toolUsePromptTokenCount": 10,
        "candidatesTokenCount": 20,
        "thoughtsTokenCount": 30,
        "totalTokenCount": 160,
    }
    if not camel:
        raw = {
            "prompt_token_count": 100,
            "cached_content_token_count": 40,
            "tool_use_prompt_token_count": 10,
            "candidates_token_count": 20,
            "thoughts_token_count": 30,
            "total_token_count": 160,
        }
    partition = rules.partition_gemini(raw)
    assert partition.problems == ()
    assert partition.usage == Usage(input_uncached=70, input_cache_read=40, output=50, output_reasoning=30)


def test_gemini_modalities() -> None:
    usage = rules.partition_gemini(
        {
            "promptTokenCount": 100,
            "promptTokensDetails": [
                {"modality": "TEXT", "tokenCount": 60},
                {"modality": "AUDIO", "tokenCount": 40},
            ],
            "candidatesTokenCount": 1,
        }
    ).usage
    assert (usage.input_audio, usage.output_audio) == (40, None)


@pytest.mark.parametrize("part", [rules.partition_openai, rules.partition_anthropic, rules.partition_gemini])
def test_an_empty_or_odd_object_is_unknown_not_zero(part: object) -> None:
    assert callable(part)
    assert part({}).usage == Usage()
    assert part({"prompt_tokens": "12", "input_tokens": True, "promptTokenCount": 1.5}).usage == Usage()


def test_a_part_over_the_whole_is_refused_on_its_side_only() -> None:
    partition = rules.from_totals(input_total=5, cache_read=128955, rest=Usage(output=3, input_audio=1))
    assert [problem.code for problem in partition.problems] == ["usage.part_exceeds_whole"]
    assert partition.usage == Usage(output=3)


@pytest.mark.parametrize(
    ("usage", "code"),
    [
        (Usage(input_uncached=-1), "usage.negative"),
        (Usage(output=10**13), "usage.absurd"),
        (Usage(output=3, output_reasoning=4), "usage.part_exceeds_whole"),
        (
            Usage(input_cache_write=3, input_cache_write_5m=2, input_cache_write_1h=2),
            "usage.part_exceeds_whole",
        ),
        (Usage(input_uncached=3, input_audio=2, input_image=2), "usage.part_exceeds_whole"),
        (Usage(input_uncached=9, input_cache_read=3, cache_read_audio=4), "usage.part_exceeds_whole"),
        (Usage(input_uncached=9, input_audio=3, cache_read_audio=4), "usage.part_exceeds_whole"),
        (Usage(output=3, output_audio=2, output_image=2), "usage.part_exceeds_whole"),
    ],
)
def test_impossible(usage: Usage, code: str) -> None:
    assert code in [problem.code for problem in rules.check(usage)]


def test_possible() -> None:
    assert rules.check(Usage()) == []
    assert rules.check(Usage(100, 600, 300, 100, 200, 50, 50, 7, 0, 7, 0, 0)) == []
    assert rules.check(Usage(output_reasoning=4)) == [], "a part of an unknown whole is not impossible"


@given(total=count, read=count | st.none(), write=count | st.none(), output=count)
def test_from_totals_sums_to_the_total_or_refuses(
    total: int, read: int | None, write: int | None, output: int
) -> None:
    partition = rules.from_totals(
        input_total=total, cache_read=read, cache_write=write, rest=Usage(output=output)
    )
    if (read or 0) + (write or 0) > total:
        assert partition.problems
        assert partition.usage.input_total is None
    else:
        assert partition.usage.input_total == total
        assert partition.usage.input_uncached is not None
        assert partition.usage.input_uncached >= 0
    assert partition.usage.output == output


@given(st.data())
def test_no_negative_bucket_passes_the_check(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(Usage._fields))
    sound = data.draw(st.tuples(count, count).map(lambda n: Usage(n[0], output=n[1])))
    assert rules.check(sound) == []
    assert rules.check(sound._replace(**{name: -data.draw(st.integers(1, 10**6))}))
