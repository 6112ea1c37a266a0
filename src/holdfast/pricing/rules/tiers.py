"""Names of providers and service tiers, brought to one form."""

from __future__ import annotations

from types import MappingProxyType

_PROVIDERS = MappingProxyType(
    {
        "az.ai.inference": "azure",
        "az.ai.openai": "azure",
        "azure.ai.inference": "azure",
        "azure.ai.openai": "azure",
        "azure-openai": "azure",
        "azure_openai": "azure",
        "aws.bedrock": "aws",
        "bedrock": "aws",
        "fireworks_ai": "fireworks",
        "gcp.gemini": "google",
        "gcp.gen_ai": "google",
        "gcp.vertex_ai": "google",
        "gemini": "google",
        "google_genai": "google",
        "mistral_ai": "mistral",
        "mistralai": "mistral",
        "together_ai": "together",
        "togetherai": "together",
        "vertex_ai": "google",
        "vertexai": "google",
        "x_ai": "x-ai",
        "xai": "x-ai",
    }
)
"""OpenTelemetry's and frameworks' names for providers -> one short name each."""

_STANDARD = frozenset({"", "auto", "default", "on_demand", "standard", "standard_only"})
_TIERS = MappingProxyType({"on_demand_flex": "flex", "on_demand_priority": "priority"})


def canonical_provider(name: str) -> str:
    """`azure.ai.openai` -> `azure`; a name that is not known stays as it is, in lower case."""
    name = name.strip().lower()
    return _PROVIDERS.get(name, name)


def canonical_tier(name: str | None) -> str | None:
    """None for standard service, whatever its name (default, auto, ON_DEMAND); else the lower-case tier."""
    tier = (name or "").strip().lower()
    if tier in _STANDARD:
        return None
    return _TIERS.get(tier, tier)
