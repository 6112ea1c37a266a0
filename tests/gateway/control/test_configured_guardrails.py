"""Every fault of a guardrail, with its place; and that a guardrail is part of the releases that name it."""

from __future__ import annotations

import json
import math
from typing import Any

import msgspec
import pytest
from tests.gateway.control.desk import document

from holdfast.gateway.model import Configuration
from holdfast.gateway.rules.configured import Known, faults
from holdfast.gateway.rules.parting import parts
from holdfast.gateway.rules.written import read

CANARY = "sk-canary-0123456789"
CHAIN = {"chain": [{"upstream": "main"}]}
MASK = {"kind": "pii", "action": "redact"}
KEYS = {"kind": "secrets", "action": "block"}


def told(made: Any, known: Known = Known()) -> dict[str, str]:
    """Place → what is wrong there."""
    configured, found = read(made)
    if configured is not None:
        found += faults(configured, known)
    return {one.where: one.what for one in found}


def release(**changed: Any) -> dict[str, Any]:
    return document(releases={"one": {**CHAIN, **changed}, "two": CHAIN})


def guardrail(kind: str = "pii", action: str = "block", **changed: Any) -> dict[str, Any]:
    return document(guardrails={"g": {"kind": kind, "action": action, **changed}})


def rule(pattern: str, name: str = "r") -> dict[str, Any]:
    return guardrail("rules", rules=[{"name": name, "pattern": pattern}])


def form(**schema: Any) -> dict[str, Any]:
    return guardrail("schema", at="output", schema=schema)


FAULTS = [
    (guardrail("words"), "guardrails.g.kind"),
    (guardrail(action="maim"), "guardrails.g.action"),
    (guardrail(at=CANARY), "guardrails.g.at"),
    (guardrail(on_failure="x"), "guardrails.g.on_failure"),
    (document(guardrails={"g": {"kind": "pii"}}), "guardrails.g"),
    (release(guardrails=["gone"]), "releases.one.guardrails[0]"),
    (
        document(guardrails={"g": MASK}, releases={"one": {**CHAIN, "guardrails": ["g", "g"]}, "two": CHAIN}),
        "releases.one.guardrails[1]",
    ),
    (document(guardrails={"a b": MASK}), "guardrails.a b"),
    (guardrail(entities=["name"]), "guardrails.g.entities"),
    (guardrail(region="Germany"), "guardrails.g.region"),
    (guardrail(max_bytes=1), "guardrails.g.max_bytes"),
    (guardrail("secrets", entities=["email"]), "guardrails.g.entities"),
    (guardrail(url="https://example.com"), "guardrails.g.url"),
    (guardrail(window=255), "guardrails.g.window"),
    (guardrail(window=65_537), "guardrails.g.window"),
    (guardrail(timeout_ms=0), "guardrails.g.timeout_ms"),
    (guardrail(message="x" * 1001), "guardrails.g.message"),
    (guardrail("size"), "guardrails.g.max_bytes"),
    (guardrail("size", "redact", max_bytes=9), "guardrails.g.action"),
    (guardrail("rules"), "guardrails.g.rules"),
    (rule("(a"), "guardrails.g.rules[0].pattern"),
    (rule(r"(a)\1"), "guardrails.g.rules[0].pattern"),
    (rule("(?=a)b"), "guardrails.g.rules[0].pattern"),
    (rule("a*"), "guardrails.g.rules[0].pattern"),
    (rule("(a{1000}){1000}"), "guardrails.g.rules[0].pattern"),
    (rule("x" * 1001), "guardrails.g.rules[0].pattern"),
    (rule("a", name='"'), "guardrails.g.rules[0].name"),
    (guardrail("schema", schema={"type": "object"}), "guardrails.g.at"),
    (guardrail("schema", at="output"), "guardrails.g.schema"),
    (form(type="text"), "guardrails.g.schema.type"),
    (form(properties={"a": {"kind": 1}}), "guardrails.g.schema.properties.a.kind"),
    (form(anyOf=[{"pattern": "("}]), "guardrails.g.schema.anyOf[0].pattern"),
    (form(**{"$ref": "#/$defs/gone"}), "guardrails.g.schema.$ref"),
    (form(minimum=math.inf), "guardrails.g.schema.minimum"),
    (guardrail("webhook"), "guardrails.g.url"),
    (guardrail("webhook", url="ftp://example.com"), "guardrails.g.url"),
    (guardrail("webhook", url=f"https://{CANARY}@example.com"), "guardrails.g.url"),
    (guardrail("webhook", url="https://example.com", credential=CANARY), "guardrails.g.credential"),
    (guardrail("webhook", url="https://example.com", credential="env:KEY"), "guardrails.g.credential"),
    (guardrail("webhook", url="https://example.com", credential="secret:sec_2"), "guardrails.g.credential"),
    (guardrail("webhook", "redact", url="https://example.com"), "guardrails.g.action"),
    (guardrail("webhook", url="https://example.com", credential="workload:aws"), "guardrails.g.credential"),
]


@pytest.mark.parametrize(("made", "where"), FAULTS)
def test_a_fault_is_found_with_its_place(made: Any, where: str) -> None:
    found = told(made)
    assert list(found) == [where]
    assert len(found[where]) > 15
    assert CANARY not in str(found)


def test_what_the_operator_gave_a_webhook_stays_while_it_leads_where_it_did() -> None:
    made = guardrail("webhook", url="https://example.com/judge", credential="env:KEY")
    kept = msgspec.convert(made, Configuration).guardrails
    assert list(told(made)) == ["guardrails.g.credential"]
    assert told(made, Known(operator=True)) == {}
    assert told(made, Known(kept_guardrails=kept)) == {}
    made["guardrails"]["g"]["timeout_ms"] = 5
    assert told(made, Known(kept_guardrails=kept)) == {}
    made["guardrails"]["g"]["url"] = "https://elsewhere.example.com/judge"
    assert list(told(made, Known(kept_guardrails=kept))) == ["guardrails.g.credential"]


def test_to_weaken_a_guardrail_makes_another_release() -> None:
    """Their content is part of the release, in the order in which it lists them; what it does not name is not."""

    def of(names: list[str], **changed: Any) -> tuple[Any, Any]:
        made = {"guardrails": {"mask": {**MASK, **changed}, "keys": KEYS, "other": KEYS}}
        releases = {"r": {**CHAIN, "guardrails": names}}
        configured = msgspec.convert({**made, "releases": releases}, Configuration)
        body, components = parts(configured.releases["r"], configured.guardrails)
        return body, json.loads(json.dumps(components)).get("guardrails")

    assert of([]) == ({}, None)
    assert of(["mask", "keys"]) == (
        {},
        {"guardrails": [{"name": "mask", **MASK}, {"name": "keys", **KEYS}]},
    )
    assert of(["keys", "mask"]) != of(["mask", "keys"])
    assert of(["mask"], action="flag") != of(["mask"])
    assert of(["mask"], at="both") == of(["mask"]), "the default said aloud says the same"
