"""OpenLLMetry (traceloop): decorator spans (traceloop.*), old llm.* names, and its own gen_ai.* additions."""

from __future__ import annotations

from collections.abc import Mapping

from holdfast.telemetry.conventions.convention import Draft, ScopeOverride
from holdfast.telemetry.conventions.otel_genai import OtelGenai
from holdfast.telemetry.model import Kind

ALIASES: Mapping[str, tuple[str, ...]] = {
    "marker.traceloop": ("traceloop.span.kind",),
    "marker.traceloop_request": ("llm.request.type",),
    "streaming": ("gen_ai.is_streaming", "llm.is_streaming"),
    "usage.total": ("llm.usage.total_tokens",),
    "marker.entity": ("traceloop.entity.name",),
    "finish_reasons": (
        "gen_ai.response.finish_reason",
        "gen_ai.response.stop_reason",
        "llm.response.finish_reason",
        "llm.response.stop_reason",
    ),
    "usage.output_reasoning": ("llm.usage.reasoning_tokens",),
    "parameters.top_k": ("llm.top_k",),
    "parameters.max_tokens": ("gen_ai.request.max_completion_tokens",),
    "parameters.choice_count": ("gen_ai.request.n",),
    "parameters.stop_sequences": ("llm.chat.stop_sequences",),
    "parameters.frequency_penalty": ("llm.frequency_penalty",),
    "parameters.presence_penalty": ("llm.presence_penalty",),
    "parameters.repetition_penalty": ("gen_ai.request.repetition_penalty", "llm.request.repetition_penalty"),
    "parameters.reasoning_level": ("gen_ai.request.reasoning_effort", "llm.request.reasoning_effort"),
    "content.raw_input": ("traceloop.entity.input", "gen_ai.task.input"),
    "content.raw_output": ("traceloop.entity.output", "gen_ai.task.output"),
}

KINDS = {"workflow": Kind.WORKFLOW, "agent": Kind.AGENT, "tool": Kind.TOOL, "task": Kind.OTHER}
REQUESTS = {
    "chat": Kind.INFERENCE,
    "completion": Kind.INFERENCE,
    "embedding": Kind.EMBEDDINGS,
    "rerank": Kind.RERANK,
}
OWN_NAMES = ("gen_ai.is_streaming", "llm.is_streaming", "llm.usage.total_tokens", "gen_ai.usage.total_tokens")
DEFAULT = OtelGenai()


class OpenLLMetry:
    """Reads spans with traceloop's own marks; what it shares with OpenTelemetry it leaves to that reader."""

    name = "openllmetry"
    aliases = ALIASES

    def claims(self, draft: Draft) -> bool:
        values = draft.values
        return (
            "marker.traceloop" in values
            or "marker.traceloop_request" in values
            or draft.sources.get("streaming") in OWN_NAMES
            or draft.sources.get("usage.total") in OWN_NAMES
        )

    def kind(self, draft: Draft) -> Kind:
        """A decorator's kind first, then the request type of old releases, then as OpenTelemetry has it."""
        values = draft.values
        decorated = KINDS.get(values.get("marker.traceloop", "").lower())
        if decorated is not None:
            return decorated
        requested = REQUESTS.get(values.get("marker.traceloop_request", "").lower())
        return requested if requested is not None else DEFAULT.kind(draft)

    def counting(self, draft: Draft) -> ScopeOverride:
        return ScopeOverride()
