"""OpenLIT: gen_ai.* names with a meaning of its own; its Anthropic input leaves the cache out."""

from __future__ import annotations

from collections.abc import Mapping

from holdfast.telemetry.conventions.convention import Draft, ScopeOverride
from holdfast.telemetry.conventions.otel_genai import OtelGenai
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
        return DEFAULT.kind(draft)

    def counting(self, draft: Draft) -> ScopeOverride:
        """By scope alone: see overrides.BY_SCOPE."""
        return ScopeOverride()
