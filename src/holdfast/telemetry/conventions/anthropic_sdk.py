"""The Anthropic SDK's own spans (scope com.anthropic.sdk.python): gen_ai.* plus anthropic.*; input is the whole."""

from __future__ import annotations

from collections.abc import Mapping

from holdfast.telemetry.conventions.convention import Draft, ScopeOverride
from holdfast.telemetry.conventions.otel_genai import OtelGenai
from holdfast.telemetry.model import Kind

ALIASES: Mapping[str, tuple[str, ...]] = {
    "finish_reasons": ("anthropic.message.stop_reason",),
    "service_tier": ("anthropic.response.service_tier", "anthropic.usage.service_tier"),
}
DEFAULT = OtelGenai()


class AnthropicSdk:
    """Reads spans that the SDK makes by itself, in any of its languages."""

    name = "anthropic_sdk"
    aliases = ALIASES

    def claims(self, draft: Draft) -> bool:
        return draft.span.scope_name.startswith("com.anthropic.sdk.")

    def kind(self, draft: Draft) -> Kind:
        return DEFAULT.kind(draft)

    def counting(self, draft: Draft) -> ScopeOverride:
        return ScopeOverride(input_includes_cache=True)
