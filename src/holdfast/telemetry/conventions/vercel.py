"""Vercel AI SDK (`ai.*`): an outer span for the function, inner do… spans for the requests to the provider."""

from __future__ import annotations

from collections.abc import Mapping

from holdfast.telemetry.conventions.convention import Draft, ScopeOverride
from holdfast.telemetry.model import Kind

ALIASES: Mapping[str, tuple[str, ...]] = {
    "marker.vercel": ("ai.operationId",),
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
    "content.raw_input": ("ai.prompt.messages", "ai.prompt", "ai.value", "ai.values"),
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


class Vercel:
    """Reads spans that state ai.operationId; only the inner ones are calls, the outer repeat their totals."""

    name = "vercel"
    aliases = ALIASES

    def claims(self, draft: Draft) -> bool:
        return "marker.vercel" in draft.values

    def kind(self, draft: Draft) -> Kind:
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
