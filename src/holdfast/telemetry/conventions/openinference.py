"""OpenInference (Arize): openinference.span.kind, llm.*, flattened messages. Its prompt count includes cache."""

from __future__ import annotations

from collections.abc import Mapping

from holdfast.telemetry.conventions.convention import Draft, ScopeOverride
from holdfast.telemetry.model import Kind

ALIASES: Mapping[str, tuple[str, ...]] = {
    "marker.openinference": ("openinference.span.kind",),
    "provider": ("llm.provider", "llm.system"),
    "request_model": ("llm.request.model_name",),
    "response_model": ("llm.response.model_name",),
    "model_name": ("llm.model_name", "embedding.model_name", "reranker.model_name"),
    "finish_reasons": ("llm.finish_reason",),
    "reported_cost": ("llm.cost.total",),
    "tool_name": ("tool.name",),
    "usage.input": ("llm.token_count.prompt",),
    "usage.output": ("llm.token_count.completion",),
    "usage.total": ("llm.token_count.total",),
    "usage.input_cache_read": (
        "llm.token_count.prompt_details.cache_read",
        "llm.token_count.prompt_details.cache_input",
    ),
    "usage.input_cache_write": ("llm.token_count.prompt_details.cache_write",),
    "usage.output_reasoning": ("llm.token_count.completion_details.reasoning",),
    "usage.input_audio": ("llm.token_count.prompt_details.audio",),
    "usage.output_audio": ("llm.token_count.completion_details.audio",),
    "parameters.top_k": ("reranker.top_k",),
    "invocation": ("llm.invocation_parameters", "embedding.invocation_parameters"),
    "content.raw_input": ("input.value",),
    "content.raw_output": ("output.value",),
    "content.tool_arguments": ("tool.parameters",),
    "content.query": ("reranker.query",),
    "marker.output_mime": ("output.mime_type",),
}

KINDS = {
    "LLM": Kind.INFERENCE,
    "EMBEDDING": Kind.EMBEDDINGS,
    "RERANKER": Kind.RERANK,
    "RETRIEVER": Kind.RETRIEVAL,
    "TOOL": Kind.TOOL,
    "AGENT": Kind.AGENT,
    "CHAIN": Kind.WORKFLOW,
}


class OpenInference:
    """Reads spans that state openinference.span.kind."""

    name = "openinference"
    aliases = ALIASES

    def claims(self, draft: Draft) -> bool:
        return "marker.openinference" in draft.values

    def kind(self, draft: Draft) -> Kind:
        return KINDS.get(draft.values["marker.openinference"].upper(), Kind.OTHER)

    def counting(self, draft: Draft) -> ScopeOverride:
        return ScopeOverride()
