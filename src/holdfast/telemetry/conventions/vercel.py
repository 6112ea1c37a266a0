"""Vercel AI SDK (`ai.*`): an outer span for the function, inner do… spans for the requests to the provider."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from holdfast.telemetry.conventions.convention import Draft, ScopeOverride
from holdfast.telemetry.conventions.values import count, loads
from holdfast.telemetry.model import Kind

ALIASES: Mapping[str, tuple[str, ...]] = {
    "marker.vercel": ("ai.operationId",),
    "marker.provider_metadata": ("ai.response.providerMetadata",),
    "provider": ("ai.model.provider",),
    "request_model": ("ai.model.id",),
    "response_model": ("ai.response.model",),
    "response_id": ("ai.response.id",),
    "finish_reasons": ("ai.response.finishReason",),
    "ttft_ms": ("ai.response.msToFirstChunk",),
    "tool_name": ("ai.toolCall.name",),
    "usage.input": ("ai.usage.inputTokens", "ai.usage.promptTokens", "ai.usage.tokens"),
    "usage.output": ("ai.usage.outputTokens", "ai.usage.completionTokens"),
    "usage.total": ("ai.usage.totalTokens",),
    "usage.input_uncached": ("ai.usage.inputTokenDetails.noCacheTokens",),
    "usage.input_cache_read": ("ai.usage.inputTokenDetails.cacheReadTokens", "ai.usage.cachedInputTokens"),
    "usage.input_cache_write": ("ai.usage.inputTokenDetails.cacheWriteTokens",),
    "usage.output_reasoning": ("ai.usage.outputTokenDetails.reasoningTokens", "ai.usage.reasoningTokens"),
    "parameters.temperature": ("ai.settings.temperature",),
    "parameters.max_tokens": ("ai.settings.maxOutputTokens", "ai.settings.maxTokens"),
    "parameters.top_p": ("ai.settings.topP",),
    "parameters.top_k": ("ai.settings.topK",),
    "parameters.seed": ("ai.settings.seed",),
    "content.raw_input": ("ai.prompt.messages", "ai.prompt"),
    "content.embedded": ("ai.value", "ai.values"),
    "content.raw_output": ("ai.response.text", "ai.response.object"),
    "content.output_tool_calls": ("ai.response.toolCalls",),
    "content.tool_definitions": ("ai.prompt.tools",),
    "content.tool_arguments": ("ai.toolCall.args", "ai.toolCall.input"),
    "content.tool_result": ("ai.toolCall.result", "ai.toolCall.output"),
}

INNER = {
    "doGenerate": Kind.INFERENCE,
    "doStream": Kind.INFERENCE,
    "doEmbed": Kind.EMBEDDINGS,
    "doRerank": Kind.RERANK,
}
COUNTS_FRESH_INPUT_ALONE = ("anthropic", "aws.bedrock")
METADATA_USAGE: Mapping[str, tuple[str, ...]] = {
    "input_cache_read": (
        "cacheReadInputTokens",
        "cache_read_input_tokens",
        "cachedPromptTokens",
        "cachedContentTokenCount",
        "promptCacheHitTokens",
    ),
    "input_cache_write": ("cacheCreationInputTokens", "cacheWriteInputTokens", "cache_creation_input_tokens"),
    "output_reasoning": ("reasoningTokens",),
}
"""Names that providers' packages use for token counts in their metadata, or in `usage` inside of it."""


class Vercel:
    """Reads spans that state ai.operationId; only the inner ones are calls, the outer repeat their totals."""

    name = "vercel"
    aliases = ALIASES

    def claims(self, draft: Draft) -> bool:
        return "marker.vercel" in draft.values

    def kind(self, draft: Draft) -> Kind:
        _read_metadata(draft)
        operation: str = draft.values["marker.vercel"]
        if operation == "ai.toolCall":
            return Kind.TOOL
        return INNER.get(operation.rpartition(".")[2], Kind.WORKFLOW)

    def counting(self, draft: Draft) -> ScopeOverride:
        """Where the SDK splits the input itself its input is the whole. Releases before that passed on what
        the provider said: for Anthropic and Bedrock the fresh input without the cache."""
        if "input_uncached" in draft.usage:
            return ScopeOverride(input_includes_cache=True)
        fresh_alone = draft.values.get("provider") in COUNTS_FRESH_INPUT_ALONE
        return ScopeOverride(input_includes_cache=not fresh_alone)


def _read_metadata(draft: Draft) -> None:
    """Token counts that only the provider's metadata has: releases before 6 state the cache nowhere else."""
    packed = draft.values.get("marker.provider_metadata")
    if not isinstance(packed, str) or not draft.usage or "input_uncached" in draft.usage:
        return
    try:
        stated = loads(packed)
    except ValueError:
        _blame(draft, "attribute.unreadable")
        return
    whole = [one for one in stated.values() if isinstance(one, dict)] if isinstance(stated, dict) else []
    for one in whole + [one["usage"] for one in whole if isinstance(one.get("usage"), dict)]:
        for slot, names in METADATA_USAGE.items():
            if slot not in draft.usage:
                _count(draft, slot, next((one[name] for name in names if one.get(name) is not None), None))


def _blame(draft: Draft, code: str) -> None:
    draft.quality.append(code)
    draft.faults.append(code)


def _count(draft: Draft, slot: str, stated: Any) -> None:
    try:
        number = count(stated)
    except ValueError:
        _blame(draft, "usage.not_a_count")
        return
    if number is not None:
        draft.usage[slot] = number
        draft.sources[f"usage.{slot}"] = draft.hidden["marker.provider_metadata"]
