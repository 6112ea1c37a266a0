"""OpenLIT: gen_ai.* names with a meaning of its own; its Anthropic input leaves the cache out."""

from __future__ import annotations

from collections.abc import Mapping

from holdfast.telemetry.conventions.convention import Draft, ScopeOverride
from holdfast.telemetry.conventions.otel_genai import OtelGenai
from holdfast.telemetry.conventions.vocabulary import OPERATIONS, provider
from holdfast.telemetry.model import Kind

ALIASES: Mapping[str, tuple[str, ...]] = {
    "streaming": ("gen_ai.request.is_stream",),
    "usage.total": ("gen_ai.client.token.usage",),
}
DEFAULT = OtelGenai()


class OpenLit:
    """Reads spans of the openlit scopes."""

    name = "openlit"
    aliases = ALIASES

    def claims(self, draft: Draft) -> bool:
        return draft.span.scope_name.startswith("openlit")

    def kind(self, draft: Draft) -> Kind:
        _forget_defaults(draft)
        if draft.span.status == "error" and "operation" not in draft.values:
            _read_name(draft)
        return DEFAULT.kind(draft)

    def counting(self, draft: Draft) -> ScopeOverride:
        """By scope alone: see overrides.BY_SCOPE."""
        return ScopeOverride()


def _forget_defaults(draft: Draft) -> None:
    """What OpenLIT writes where it knows nothing: a cost of 0 for a model without a price, -1 for a limit that
    was not set, and as time to the first token of an answer that was not streamed the time of all of it."""
    forgotten = []
    if draft.values.get("reported_cost") == 0:
        forgotten.append("reported_cost")
    if draft.values.get("streaming") is False:
        forgotten.append("ttft_seconds")
    for slot in forgotten:
        draft.values.pop(slot, None)
        draft.sources.pop(slot, None)
    if draft.parameters.get("max_tokens") == -1:
        del draft.parameters["max_tokens"]
        draft.sources.pop("parameters.max_tokens", None)


def _read_name(draft: Draft) -> None:
    """A failed request may have left a span with a name and a scope alone: `chat claude-…` of `openlit.….anthropic`."""
    operation, _, model = draft.span.name.partition(" ")
    stated = {
        "operation": operation,
        "request_model": model,
        "provider": provider(draft.span.scope_name.rpartition(".")[2]),
    }
    if operation in OPERATIONS and model:
        for slot, value in stated.items():
            if slot not in draft.values:
                draft.values[slot] = value
                draft.sources[slot] = "name" if slot != "provider" else "scope"
