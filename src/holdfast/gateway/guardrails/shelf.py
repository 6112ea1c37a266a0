"""Which judge a guardrail is. Another way to judge is another entry here, or a service of its own behind a webhook."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from holdfast.gateway.guardrails.judging import Judge
from holdfast.gateway.guardrails.patterns import patterns
from holdfast.gateway.guardrails.personal import SECRETS, Personal, personal
from holdfast.gateway.guardrails.schemas import schema
from holdfast.gateway.guardrails.sized import sized
from holdfast.gateway.model import Guardrail, GuardrailKind

JUDGES: Mapping[GuardrailKind, Callable[[Guardrail], Judge]] = MappingProxyType(
    {
        GuardrailKind.PII: lambda one: personal(one.entities, one.region),
        GuardrailKind.SECRETS: lambda one: Personal(SECRETS),
        GuardrailKind.RULES: lambda one: patterns(one.rules),
        GuardrailKind.SIZE: lambda one: sized(one.max_bytes),
        GuardrailKind.SCHEMA: lambda one: schema(one.schema),
    }
)
FIELDS: Mapping[GuardrailKind, tuple[str, ...]] = MappingProxyType(
    {
        GuardrailKind.PII: ("entities", "region"),
        GuardrailKind.SECRETS: (),
        GuardrailKind.RULES: ("rules",),
        GuardrailKind.SIZE: ("max_bytes",),
        GuardrailKind.SCHEMA: ("schema",),
        GuardrailKind.WEBHOOK: ("url", "credential"),
    }
)
"""Fields that are for one kind alone."""


def judge_of(guardrail: Guardrail) -> Judge:
    """The judge that a guardrail describes; a webhook's is in the proxy, for it asks outside. Raises Invalid."""
    return JUDGES[guardrail.kind](guardrail)
