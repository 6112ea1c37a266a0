"""Raw usage objects of providers, cut into exclusive buckets; and what no usage can truthfully say.

Providers count differently: OpenAI and Gemini put cached tokens inside the input count, Anthropic beside it;
Gemini keeps thinking outside the candidates, OpenAI inside the completion. Here everything becomes
`holdfast.pricing.model.Usage`. A count that a provider leaves out stays unknown.
"""

from __future__ import annotations

from collections.abc import Mapping
from operator import itemgetter
from types import MappingProxyType
from typing import Any, Literal

from holdfast.pricing.model import Impossible, Partition, Usage

PART_EXCEEDS_WHOLE = "usage.part_exceeds_whole"
NEGATIVE = "usage.negative"
ABSURD = "usage.absurd"
PARTS_DO_NOT_ADD_UP = "usage.parts_do_not_add_up"
LIMIT = 10**12
"""No single call holds a million million tokens; a larger count is an error of the sender."""

_FIELDS = Usage._fields
_NOTHING: Mapping[str, Any] = MappingProxyType({})
_SUBSETS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("input_cache_write", ("input_cache_write_5m", "input_cache_write_1h")),
    ("input_cache_read", ("cache_read_audio",)),
    ("input_audio", ("cache_read_audio",)),
    ("output", ("output_reasoning",)),
    ("output", ("output_audio", "output_image")),
)
_PARTS = itemgetter(
    *(
        _FIELDS.index(part)
        for part in dict.fromkeys(
            [*(part for _, parts in _SUBSETS for part in parts), "input_audio", "input_image"]
        )
    )
)


def check(usage: Usage) -> list[Impossible]:
    """What in `usage` cannot be: negative or absurd counts, parts larger than their whole. Empty when sound.

    A part of an unknown whole is not impossible, only unpriceable.
    """
    found: list[Impossible] = []
    for count in usage:
        if count is not None and not 0 <= count <= LIMIT:
            break
    else:
        if not any(_PARTS(usage)):
            return found  # the common case, quickly: plain counts without parts
    for name, count in zip(_FIELDS, usage, strict=True):
        if count is None or 0 <= count <= LIMIT:
            continue
        code, word = (NEGATIVE, "is negative") if count < 0 else (ABSURD, "is more than any call can hold")
        found.append(Impossible(_side(name), code, f"{name} {word} ({count})"))
    for whole, parts in _SUBSETS:
        _compare(whole, getattr(usage, whole), [(part, getattr(usage, part)) for part in parts], found)
    modalities = [("input_audio", usage.input_audio), ("input_image", usage.input_image)]
    _compare("input", usage.input_total, modalities, found)
    return found


def _compare(
    whole: str, total: int | None, parts: list[tuple[str, int | None]], found: list[Impossible]
) -> None:
    known = [(name, count) for name, count in parts if count is not None]
    if total is not None and sum(count for _, count in known) > total:
        names = " + ".join(f"{name} ({count})" for name, count in known)
        found.append(Impossible(_side(whole), PART_EXCEEDS_WHOLE, f"{names} exceeds {whole} ({total})"))


def _side(name: str) -> Literal["input", "output"]:
    return "output" if name.startswith("output") else "input"


def from_totals(
    *,
    input_total: int | None,
    cache_read: int | None = None,
    cache_write: int | None = None,
    rest: Usage | None = None,
) -> Partition:
    """Buckets from an input count that includes what was read from and written to a cache.

    `rest` carries the other buckets. Where the parts exceed the total, every input bucket is unknown and the
    problem says so.
    """
    uncached = None if input_total is None else input_total - (cache_read or 0) - (cache_write or 0)
    usage = (rest or Usage())._replace(
        input_uncached=uncached, input_cache_read=cache_read, input_cache_write=cache_write
    )
    if uncached is None or uncached >= 0:
        return _vetted(usage)
    detail = (
        f"cache read ({cache_read or 0}) + cache write ({cache_write or 0}) exceeds input ({input_total})"
    )
    return _refused(usage, (Impossible("input", PART_EXCEEDS_WHOLE, detail),))


def _vetted(usage: Usage) -> Partition:
    return _refused(usage, tuple(check(usage)))


def _refused(usage: Usage, problems: tuple[Impossible, ...]) -> Partition:
    """`usage` without the sides in which something is impossible."""
    if not problems:
        return Partition(usage, ())
    sides = {problem.side for problem in problems}
    emptied = {name: None for name in _FIELDS if _side(name) in sides}
    return Partition(usage._replace(**emptied), problems)


def partition_openai(raw: Mapping[str, Any]) -> Partition:
    """OpenAI `usage` of Chat Completions or Responses, and what speaks like it (OpenRouter, DeepSeek, Codex).

    The input includes cached and written tokens; the output includes reasoning. Where `total_tokens` is more
    than input plus output (Gemini's compatible endpoint hides thinking so), the output is total minus input,
    because that is what is billed, and a problem is noted.
    """
    read = _details(raw, "prompt_tokens_details", "input_tokens_details")
    wrote = _details(raw, "completion_tokens_details", "output_tokens_details")
    input_total = _count(raw, "prompt_tokens", "input_tokens")
    output = _count(raw, "completion_tokens", "output_tokens")
    total = _count(raw, "total_tokens")
    cached = _count(read, "cached_tokens")
    if cached is None:
        cached = _count(raw, "cached_input_tokens", "cached_tokens", "prompt_cache_hit_tokens")
    problems: tuple[Impossible, ...] = ()
    if total is not None and input_total is not None and output is not None:
        output, problems = _billed_output(total, input_total, output)
    if not read and not wrote and cached is None:  # the common case, quickly: plain counts without parts
        partition = _vetted(Usage(input_uncached=input_total, output=output))
    else:
        partition = from_totals(
            input_total=input_total,
            cache_read=cached,
            cache_write=_count(read, "cache_write_tokens"),
            rest=Usage(
                output=output,
                output_reasoning=_count(wrote, "reasoning_tokens"),
                input_audio=_count(read, "audio_tokens"),
                input_image=_count(read, "image_tokens"),
                output_audio=_count(wrote, "audio_tokens"),
                output_image=_count(wrote, "image_tokens"),
            ),
        )
    return partition._replace(problems=problems + partition.problems) if problems else partition


def _billed_output(total: int, given: int, output: int) -> tuple[int, tuple[Impossible, ...]]:
    if total == given + output:
        return output, ()
    detail = f"input ({given}) + output ({output}) is not the total ({total})"
    return max(output, total - given), (Impossible("output", PARTS_DO_NOT_ADD_UP, detail),)


def partition_anthropic(raw: Mapping[str, Any]) -> Partition:
    """Anthropic `usage`: `input_tokens` excludes the cache; writes split by time to live where stated.

    Tokens of compaction are not in the top-level counts; they are added from `iterations`.
    """
    compactions = [
        step
        for step in raw.get("iterations") or ()
        if isinstance(step, Mapping) and step.get("type") == "compaction"
    ]
    sources = [raw, *compactions]
    ttl = [_details(source, "cache_creation") for source in sources]
    write_5m = _total([_count(part, "ephemeral_5m_input_tokens") for part in ttl])
    write_1h = _total([_count(part, "ephemeral_1h_input_tokens") for part in ttl])
    write = _total([_count(source, "cache_creation_input_tokens") for source in sources])
    if write is None:
        write = _total([write_5m, write_1h])
    usage = Usage(
        input_uncached=_total([_count(source, "input_tokens") for source in sources]),
        input_cache_read=_total([_count(source, "cache_read_input_tokens") for source in sources]),
        input_cache_write=write,
        input_cache_write_5m=write_5m,
        input_cache_write_1h=write_1h,
        output=_total([_count(source, "output_tokens") for source in sources]),
    )
    return _vetted(usage)


def partition_gemini(raw: Mapping[str, Any]) -> Partition:
    """Gemini `usageMetadata`, in camel case (REST) or snake case (SDK).

    The prompt includes cached tokens; tool-use prompts come on top of it, thoughts on top of the candidates.
    The wire form leaves out zeros, so with a total the output is the total minus all input.
    """
    prompt = _count(raw, "promptTokenCount", "prompt_token_count")
    tools = _count(raw, "toolUsePromptTokenCount", "tool_use_prompt_token_count")
    thoughts = _count(raw, "thoughtsTokenCount", "thoughts_token_count")
    candidates = _count(raw, "candidatesTokenCount", "candidates_token_count")
    total = _count(raw, "totalTokenCount", "total_token_count")
    input_total = None if prompt is None else prompt + (tools or 0)
    output = _total([candidates, thoughts])
    problems: tuple[Impossible, ...] = ()
    if total is not None and input_total is not None:
        output, problems = _billed_output(total, input_total, output or 0)
    given = _modalities(raw, "promptTokensDetails", "prompt_tokens_details")
    cached = _modalities(raw, "cacheTokensDetails", "cache_tokens_details")
    written = _modalities(raw, "candidatesTokensDetails", "candidates_tokens_details")
    partition = from_totals(
        input_total=input_total,
        cache_read=_count(raw, "cachedContentTokenCount", "cached_content_token_count"),
        rest=Usage(
            output=output,
            output_reasoning=thoughts,
            input_audio=given.get("AUDIO"),
            input_image=given.get("IMAGE"),
            cache_read_audio=cached.get("AUDIO"),
            output_audio=written.get("AUDIO"),
            output_image=written.get("IMAGE"),
        ),
    )
    return partition._replace(problems=problems + partition.problems)


def _count(raw: Mapping[str, Any], *names: str) -> int | None:
    """The first of `names` that holds a whole number; anything else is unknown."""
    for name in names:
        value = raw.get(name)
        if type(value) is int:  # True and False are no counts
            return value
    return None


def _details(raw: Mapping[str, Any], *names: str) -> Mapping[str, Any]:
    for name in names:
        value = raw.get(name)
        if value is not None and isinstance(value, Mapping):
            return value
    return _NOTHING


def _total(counts: list[int | None]) -> int | None:
    known = [count for count in counts if count is not None]
    return sum(known) if known else None


def _modalities(raw: Mapping[str, Any], *names: str) -> dict[str, int]:
    """`[{"modality": "AUDIO", "tokenCount": 7}, …]` as a dict; empty when there is none."""
    found: dict[str, int] = {}
    for name in names:
        for item in raw.get(name) or ():
            count = _count(item, "tokenCount", "token_count") if isinstance(item, Mapping) else None
            if count is not None:
                modality = str(item.get("modality")).rpartition(".")[2].upper()
                found[modality] = found.get(modality, 0) + count
    return found
