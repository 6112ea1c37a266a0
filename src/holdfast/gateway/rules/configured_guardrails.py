"""What is wrong with a guardrail as configured. No message repeats a pattern or a credential."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from holdfast.gateway.guardrails.shelf import FIELDS, judge_of
from holdfast.gateway.model import Action, Guardrail, GuardrailKind, Side
from holdfast.gateway.rules.configured_upstreams import base_url_faults, reference_faults
from holdfast.gateway.rules.written import Fault, inexact
from holdfast.kernel.errors import Invalid

WHOLE = (GuardrailKind.SIZE, GuardrailKind.SCHEMA)
"""Kinds that judge all that is said at once: there is no part of it to redact."""
WINDOW = (256, 65_536)
"""Below, a number or a token could leave before it is known to be one."""
TIMEOUT_MS = (1, 60_000)


def guardrail_faults(
    name: str,
    guardrail: Guardrail,
    *,
    operator: bool,
    secrets: Collection[str],
    kept: Guardrail | None,
) -> Iterator[Fault]:
    """Every fault of a guardrail. `secrets` are references that the workspace has, `kept` is the guardrail in force."""
    where = f"guardrails.{name}"
    kind = guardrail.kind
    for other, fields in FIELDS.items():
        for field in fields:
            if field not in FIELDS[kind] and getattr(guardrail, field):
                yield Fault(f"{where}.{field}", f"this is for the kind {other}; leave it out")
    if kind in WHOLE and guardrail.action is Action.REDACT:
        yield Fault(f"{where}.action", f"{kind} judges all that is said: it can block or flag")
    if kind is GuardrailKind.WEBHOOK and guardrail.action is Action.REDACT:
        yield Fault(
            f"{where}.action",
            "a webhook says itself whether to redact or to block: write block, or flag to only note it",
        )
    if kind is GuardrailKind.SCHEMA and guardrail.at is not Side.OUTPUT:
        yield Fault(f"{where}.at", "a schema judges answers: write at: output")
    if not WINDOW[0] <= guardrail.window <= WINDOW[1]:
        yield Fault(f"{where}.window", f"from {WINDOW[0]} to {WINDOW[1]} characters")
    if not TIMEOUT_MS[0] <= guardrail.timeout_ms <= TIMEOUT_MS[1]:
        yield Fault(f"{where}.timeout_ms", f"from {TIMEOUT_MS[0]} to {TIMEOUT_MS[1]} milliseconds")
    if len(guardrail.message) > 1000:
        yield Fault(f"{where}.message", "at most 1000 characters")
    if kind is GuardrailKind.WEBHOOK:
        yield from _webhook(where, guardrail, secrets, operator=operator or _inherits(guardrail, kept))
    else:
        yield from inexact(guardrail.schema, f"{where}.schema")
        try:
            judge_of(guardrail)
        except Invalid as error:
            yield Fault(f"{where}.{error.where}", error.detail)


def _webhook(
    where: str, guardrail: Guardrail, secrets: Collection[str], *, operator: bool
) -> Iterator[Fault]:
    yield from base_url_faults(f"{where}.url", guardrail.url)
    if guardrail.credential.startswith("workload:"):
        yield Fault(f"{where}.credential", "a machine's identity is for upstreams; name a secret (secret:…)")
    elif guardrail.credential:
        yield from reference_faults(f"{where}.credential", guardrail.credential, secrets, operator=operator)


def _inherits(guardrail: Guardrail, kept: Guardrail | None) -> bool:
    """Whether what the operator allowed still holds: where it leads and as whom has not changed."""
    return kept is not None and (guardrail.url, guardrail.credential) == (kept.url, kept.credential)
