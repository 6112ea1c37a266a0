"""OpenTelemetry GenAI in all its ages: before 1.37, 1.37 to 1.41, and the repository that it moved to.

The ages differ in names, not in meaning, so one alias table covers them; which age a span is of need not be
known, and the schema URL would not tell it. These names are also the default for scopes nobody knows.
"""

from __future__ import annotations

from collections.abc import Mapping

from holdfast.telemetry.conventions.convention import Draft, ScopeOverride
from holdfast.telemetry.conventions.vocabulary import OPERATIONS
from holdfast.telemetry.model import Kind

ALIASES: Mapping[str, tuple[str, ...]] = {
    "operation": ("gen_ai.operation.name",),
    "provider": ("gen_ai.provider.name", "gen_ai.system"),
    "request_model": ("gen_ai.request.model",),
    "asked_model": ("holdfast.asked_model",),
    "response_model": ("gen_ai.response.model",),
    "response_id": ("gen_ai.response.id",),
    "finish_reasons": ("gen_ai.response.finish_reasons",),
    "streaming": ("gen_ai.request.stream",),
    "ttft_seconds": (
        "gen_ai.response.time_to_first_chunk",
        "gen_ai.server.time_to_first_token",
        "gen_ai.client.operation.time_to_first_chunk",
    ),
    "error_type": ("error.type",),
    "http_status": ("http.response.status_code", "http.status_code"),
    "service_tier": (
        "openai.response.service_tier",
        "gen_ai.openai.response.service_tier",
        "gen_ai.response.service_tier",
        "openai.request.service_tier",
        "gen_ai.openai.request.service_tier",
        "gen_ai.request.service_tier",
    ),
    "reported_cost": ("holdfast.cost", "gen_ai.usage.cost", "gen_ai.usage.total_cost"),
    "tool_name": ("gen_ai.tool.name",),
    "cache_hit": ("holdfast.response_cache.hit", "holdfast.retrieval_cache.hit"),
    "data_source": ("gen_ai.data_source.id", "aws.bedrock.knowledge_base.id"),
    "documents": (
        "holdfast.retrieval.document_count",
        "gen_ai.retrieval.document_count",
        "db.milvus.search.result_count",
    ),
    "top_score": ("holdfast.retrieval.top_score",),
    "newest_ns": ("holdfast.retrieval.newest_document_at",),
    "resends": ("http.request.resend_count",),
    "usage.input": ("gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens"),
    "usage.output": ("gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens"),
    "usage.total": ("gen_ai.usage.total_tokens",),
    "usage.input_cache_read": (
        "gen_ai.usage.cache_read.input_tokens",
        "gen_ai.usage.cache_read_input_tokens",
        "gen_ai.usage.cache_read_tokens",
        "gen_ai.usage.details.cache_read_tokens",
        "gen_ai.usage.input_cached_tokens",
    ),
    "usage.input_cache_write": (
        "gen_ai.usage.cache_write.input_tokens",
        "gen_ai.usage.cache_creation.input_tokens",
        "gen_ai.usage.cache_creation_input_tokens",
        "gen_ai.usage.cache_write_tokens",
        "gen_ai.usage.details.cache_write_tokens",
    ),
    "usage.input_cache_write_5m": (
        "gen_ai.usage.cache_creation.ephemeral_5m_input_tokens",
        "gen_ai.usage.cache_write.ephemeral_5m_input_tokens",
        "holdfast.usage.cache_write_5m_input_tokens",
    ),
    "usage.input_cache_write_1h": (
        "gen_ai.usage.cache_creation.ephemeral_1h_input_tokens",
        "gen_ai.usage.cache_write.ephemeral_1h_input_tokens",
        "holdfast.usage.cache_write_1h_input_tokens",
    ),
    "usage.output_reasoning": (
        "gen_ai.usage.reasoning.output_tokens",
        "gen_ai.usage.reasoning_tokens",
        "gen_ai.usage.details.reasoning_tokens",
    ),
    "usage.input_audio": ("gen_ai.usage.audio.input_tokens",),
    "usage.input_image": ("gen_ai.usage.image.input_tokens",),
    "usage.cache_read_audio": ("gen_ai.usage.audio.cache_read.input_tokens",),
    "usage.output_audio": ("gen_ai.usage.audio.output_tokens",),
    "usage.output_image": ("gen_ai.usage.image.output_tokens",),
    "parameters.temperature": ("gen_ai.request.temperature",),
    "parameters.top_p": ("gen_ai.request.top_p",),
    "parameters.top_k": (
        "gen_ai.request.top_k",
        "gen_ai.retrieval.top_k",
        "db.vector.query.top_k",
        "pinecone.query.top_k",
        "db.chroma.query.n_results",
        "db.milvus.search.limit",
    ),
    "parameters.max_tokens": ("gen_ai.request.max_tokens",),
    "parameters.choice_count": ("gen_ai.request.choice.count",),
    "parameters.stop_sequences": ("gen_ai.request.stop_sequences",),
    "parameters.frequency_penalty": ("gen_ai.request.frequency_penalty",),
    "parameters.presence_penalty": ("gen_ai.request.presence_penalty",),
    "parameters.seed": ("gen_ai.request.seed", "gen_ai.openai.request.seed"),
    "parameters.encoding_formats": ("gen_ai.request.encoding_formats",),
    "parameters.reasoning_level": ("gen_ai.request.reasoning.level",),
    "parameters.output_type": ("gen_ai.output.type", "gen_ai.openai.request.response_format"),
    "parameters.dimensions": ("gen_ai.embeddings.dimension.count",),
    "content.system_instructions": ("gen_ai.system_instructions",),
    "content.input_messages": ("gen_ai.input.messages",),
    "content.output_messages": ("gen_ai.output.messages",),
    "content.tool_definitions": ("gen_ai.tool.definitions",),
    "content.tool_arguments": ("gen_ai.tool.call.arguments",),
    "content.tool_result": ("gen_ai.tool.call.result",),
    "content.query": ("gen_ai.retrieval.query.text",),
    "content.documents": ("gen_ai.retrieval.documents",),
    "content.raw_input": ("gen_ai.prompt",),
    "content.raw_output": ("gen_ai.completion",),
    "marker.mcp_method": ("mcp.method.name",),
    "marker.tool_call": ("gen_ai.tool.call.id",),
    "marker.collection": ("db.collection.name",),
    "marker.returned_rows": ("db.response.returned_rows",),
    "marker.database": ("db.system.name", "db.system"),
    "marker.database_operation": ("db.operation.name", "db.operation"),
}

VECTOR_STORES = frozenset(
    ("pinecone", "chroma", "chromadb", "qdrant", "milvus", "weaviate", "lancedb", "marqo", "pgvector")
)
SEARCHES = ("query", "search", "recommend", "retrieve", "hybrid", "get")


class OtelGenai:
    """The default reader."""

    name = "otel_genai"
    aliases = ALIASES

    def claims(self, draft: Draft) -> bool:
        return True

    def kind(self, draft: Draft) -> Kind:
        """By operation name; without one, by what only such a span would carry."""
        values = draft.values
        operation = values.get("operation")
        if operation is not None:
            known = OPERATIONS.get(operation.lower())
            if known is not None:
                return known
        if "marker.mcp_method" in values:
            return Kind.TOOL if values["marker.mcp_method"] == "tools/call" else Kind.OTHER
        if is_vector_search(draft):
            return Kind.RETRIEVAL
        if "request_model" in values or "response_model" in values:
            answered = bool(draft.usage) or "response_id" in values or "finish_reasons" in values
            if draft.span.kind == "CLIENT" or (operation is None and answered):
                return Kind.INFERENCE
            return Kind.OTHER
        if "tool_name" in values and "marker.tool_call" in values:
            return Kind.TOOL
        return Kind.OTHER

    def counting(self, draft: Draft) -> ScopeOverride:
        return ScopeOverride()


def is_vector_search(draft: Draft) -> bool:
    """A vector store asked for neighbours (not one that is being written)."""
    values = draft.values
    if values.get("marker.database") not in VECTOR_STORES:
        return "documents" in draft.content
    asked = str(values.get("marker.database_operation") or draft.span.name).lower()
    if "data_source" in values or draft.sources.get("parameters.top_k") == "db.vector.query.top_k":
        return True
    return any(word in asked for word in SEARCHES)
