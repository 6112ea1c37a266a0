"""Every fault of a configuration: found, with its place, whatever else is wrong, and without repeating a credential."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.gateway.control.desk import document

from holdfast.gateway.model import Configuration
from holdfast.gateway.rules.configured import Known, faults
from holdfast.gateway.rules.configured_upstreams import AUTHS
from holdfast.gateway.rules.differences import changes
from holdfast.gateway.rules.documents import parse
from holdfast.gateway.rules.parting import parts
from holdfast.gateway.rules.rated import models_asked
from holdfast.gateway.rules.written import MOST, read
from holdfast.kernel.errors import Invalid
from holdfast.registry.model import Kind

CANARY = "sk-canary-0123456789"
KNOWN = Known(
    secrets=frozenset({"secret:sec_1"}), keys={"key_1": None, "key_2": "this key lacks the scope gateway"}
)
UP = {"dialect": "openai", "base_url": "https://api.example.com/v1"}
CHAIN = {"chain": [{"upstream": "main"}]}


def told(made: Any, known: Known = KNOWN) -> dict[str, str]:
    """Place → what is wrong there."""
    configured, found = read(made)
    if configured is not None:
        found += faults(configured, known)
    return {one.where: one.what for one in found}


def upstream(**changed: Any) -> dict[str, Any]:
    return document(upstreams={"main": {**UP, **changed}, "other": UP})


def release(**changed: Any) -> dict[str, Any]:
    return document(releases={"one": {**CHAIN, **changed}, "two": CHAIN})


def route(**changed: Any) -> dict[str, Any]:
    return document(routes={"chat": {"release": "one", **changed}})


def prompt(text: Any, variables: Any = None) -> dict[str, Any]:
    return release(prompt={"messages": [{"role": "user", "content": text}], "variables": variables or {}})


FORM = [
    ([], ""),
    ("text", ""),
    ({"colour": 1}, "colour"),
    ({"upstreams": []}, "upstreams"),
    ({"budgets": {}}, "budgets"),
    ({"upstreams": {1: UP}}, "upstreams"),
    ({"regions": {"a": "eu"}}, "regions[...]"),
    (upstream(dialect=CANARY), "upstreams.main.dialect"),
    (upstream(auth=CANARY), "upstreams.main.auth"),
    (upstream(base_url=1), "upstreams.main.base_url"),
    (upstream(key="x"), "upstreams.main"),
    (upstream(timeouts={"total": "long"}), "upstreams.main.timeouts.total"),
    (upstream(prices={"m": {"output": "much"}}), "upstreams.main.prices[...][...]"),
    (release(chain="main"), "releases.one.chain"),
    (release(chain=[{"upstream": "main", "weight": 1}]), "releases.one.chain[0]"),
    (route(variants=[{"release": "one", "weight": "x"}]), "routes.chat.variants[0].weight"),
    (document(keys={"key_1": {"route": 1}}), "keys.key_1.route"),
    (document(budgets=[{"scope": CANARY, "amount": 1}]), "budgets[0].scope"),
    (document(budgets=[{"scope": "key", "amount": 1, "period": "year"}]), "budgets[0].period"),
    (document(budgets=[{"scope": "key"}]), "budgets[0]"),
    (document(limits=[{"scope": "key", "concurrency": 1.5}]), "limits[0].concurrency"),
]
MEANING = [
    (document(upstreams={"": UP, "main": UP, "other": UP}), "upstreams."),
    (document(upstreams={"a b": UP, "main": UP, "other": UP}), "upstreams.a b"),
    (document(routes={"x" * 121: {"release": "one"}}), f"routes.{'x' * 120}"),
    (upstream(base_url="ftp://example.com"), "upstreams.main.base_url"),
    (upstream(base_url="example.com/v1"), "upstreams.main.base_url"),
    (upstream(base_url="https://"), "upstreams.main.base_url"),
    (upstream(base_url="https://x:port/v1"), "upstreams.main.base_url"),
    (upstream(base_url=f"https://{CANARY}:x@example.com"), "upstreams.main.base_url"),
    (upstream(base_url=f"https://example.com/v1?key={CANARY}"), "upstreams.main.base_url"),
    (upstream(base_url="https://example.com/v1#x"), "upstreams.main.base_url"),
    (upstream(base_url="https://example.com/v 1"), "upstreams.main.base_url"),
    (upstream(auth="sigv4", credential="secret:sec_1"), "upstreams.main.region"),
    (upstream(dialect="anthropic", auth="x-goog-api-key", credential="secret:sec_1"), "upstreams.main.auth"),
    (upstream(auth="bearer"), "upstreams.main.credential"),
    (upstream(auth="none", credential="secret:sec_1"), "upstreams.main.credential"),
    (upstream(credential=CANARY), "upstreams.main.credential"),
    (upstream(credential="secret:sec_2"), "upstreams.main.credential"),
    (upstream(credential="env:KEY"), "upstreams.main.credential"),
    (upstream(credential="file:/etc/shadow"), "upstreams.main.credential"),
    (upstream(credential="vault:kv/openai#key"), "upstreams.main.credential"),
    (upstream(credential="workload:azure"), "upstreams.main.credential"),
    (upstream(dialect="bedrock", region="us-east-1"), "upstreams.main.credential"),
    (upstream(headers={"Authorization": CANARY}), "upstreams.main.headers.Authorization"),
    (upstream(headers={"x-api-key": CANARY}), "upstreams.main.headers.x-api-key"),
    (upstream(headers={"Host": "x"}), "upstreams.main.headers.Host"),
    (upstream(headers={"a b": "x"}), "upstreams.main.headers[0]"),
    (upstream(headers={"x-a": f"{CANARY}\r\nx: y"}), "upstreams.main.headers.x-a"),
    (upstream(timeouts={"connect": 0}), "upstreams.main.timeouts.connect"),
    (upstream(timeouts={"total": math.inf}), "upstreams.main.timeouts.total"),
    (upstream(concurrency=0), "upstreams.main.concurrency"),
    (upstream(models=["gpt-4o-mini", " "]), "upstreams.main.models[1]"),
    (upstream(prices={"m": {"output": 1}}), "upstreams.main.prices.m"),
    (upstream(prices={"m": {"input_uncached": 1, "thoughts": 1}}), "upstreams.main.prices.m.thoughts"),
    (upstream(prices={"m": {"input_uncached": -1}}), "upstreams.main.prices.m.input_uncached"),
    (upstream(prices={"m": {"input_uncached": "NaN"}}), "upstreams.main.prices.m.input_uncached"),
    (release(chain=[]), "releases.one.chain"),
    (release(chain=[{"upstream": "gone"}]), "releases.one.chain[0].upstream"),
    (
        document(
            upstreams={"main": {**UP, "models": ["a"]}, "other": UP},
            releases={"one": {"chain": [{"upstream": "main", "model": "b"}]}, "two": CHAIN},
        ),
        "releases.one.chain[0].model",
    ),
    (release(parameters={"model": "x"}), "releases.one.parameters.model"),
    (release(parameters={"top_p": math.nan}), "releases.one.parameters.top_p"),
    (release(parameters={"seed": 1 << 60}), "releases.one.parameters.seed"),
    (release(parameters={"a": {"b": [{1: 2}]}}), "releases.one.parameters.a.b[0]"),
    (release(prompt={"messages": []}), "releases.one.prompt.messages"),
    (release(prompt={"messages": [{"content": "x"}]}), "releases.one.prompt.messages[0]"),
    (prompt("Dear {{name}}"), "releases.one.prompt.messages[0].content"),
    (prompt("Dear {{#name}}"), "releases.one.prompt.messages[0].content"),
    (prompt("Dear {{name.first}}", {"name": {}}), "releases.one.prompt.messages[0].content"),
    (prompt("Dear you", {"name": {}}), "releases.one.prompt.variables.name"),
    (prompt("Dear {{ 1name }}"), "releases.one.prompt.messages[0].content"),
    (prompt("Dear {{name}} and {{name}", {"name": {}}), "releases.one.prompt.messages[0].content"),
    (prompt([{"type": "text", "text": "{{"}]), "releases.one.prompt.messages[0].content[0].text"),
    (prompt("{{a}}", {"a": {"type": "date"}}), "releases.one.prompt.variables.a.type"),
    (prompt("{{a}}", {"a": {"type": "number", "default": "1"}}), "releases.one.prompt.variables.a.default"),
    (prompt("{{a}}", {"a": {"type": "number", "default": True}}), "releases.one.prompt.variables.a.default"),
    (route(release=""), "routes.chat"),
    (route(variants=[{"release": "one"}]), "routes.chat"),
    (route(release="gone"), "routes.chat.release"),
    (route(release="", variants=[{"release": "gone"}]), "routes.chat.variants[0].release"),
    (route(release="", variants=[{"release": "one"}, {"release": "one"}]), "routes.chat.variants[1].release"),
    (route(release="", variants=[{"release": "one", "weight": 0}]), "routes.chat.variants"),
    (
        route(release="", variants=[{"release": "one", "weight": -1}, {"release": "two"}]),
        "routes.chat.variants[0].weight",
    ),
    (route(sticky=["colour"]), "routes.chat.sticky[0]"),
    (route(shadow={"release": "gone"}), "routes.chat.shadow.release"),
    (route(shadow={"release": "two", "percent": 0}), "routes.chat.shadow.percent"),
    (route(shadow={"release": "two", "percent": math.nan}), "routes.chat.shadow.percent"),
    (route(shadow={"release": "two", "concurrency": 0}), "routes.chat.shadow.concurrency"),
    (route(retries=11), "routes.chat.retries"),
    (route(max_output_tokens=0), "routes.chat.max_output_tokens"),
    (route(cache_seconds=-1), "routes.chat.cache_seconds"),
    (route(deadline=-1), "routes.chat.deadline"),
    (route(message="x" * 10_001), "routes.chat.message"),
    (route(models=[""]), "routes.chat.models[0]"),
    (
        document(routes={"a": {"release": "one", "models": ["m"]}, "b": {"release": "two", "models": ["m"]}}),
        "routes.b.models[0]",
    ),
    (document(regions={"hr": []}), "regions.hr"),
    (document(keys={"key_9": {}}), "keys.key_9"),
    (document(keys={"key_2": {}}), "keys.key_2"),
    (document(keys={"key_1": {"route": "gone"}}), "keys.key_1.route"),
    (document(keys={"key_1": {"routes": ["chat", "gone"]}}), "keys.key_1.routes[1]"),
    (document(keys={"key_1": {"route": "chat", "routes": ["split"]}}), "keys.key_1.route"),
    (document(budgets=[{"scope": "key", "amount": 0}]), "budgets[0].amount"),
    (document(budgets=[{"scope": "key", "amount": "-0.01"}]), "budgets[0].amount"),
    (document(budgets=[{"scope": "key", "amount": "Infinity"}]), "budgets[0].amount"),
    (document(budgets=[{"scope": "key", "amount": 1, "currency": "dollars"}]), "budgets[0].currency"),
    (document(budgets=[{"scope": "key", "amount": 1}, {"scope": "key", "amount": 2}]), "budgets[1]"),
    (document(budgets=[{"scope": "key", "amount": 1, "only": ["key_9"]}]), "budgets[0].only[0]"),
    (document(budgets=[{"scope": "route", "amount": 1, "only": ["gone"]}]), "budgets[0].only[0]"),
    (document(budgets=[{"scope": "workspace", "amount": 1, "only": ["x"]}]), "budgets[0].only"),
    (document(limits=[{"scope": "key"}]), "limits[0]"),
    (document(limits=[{"scope": "key", "requests_per_minute": 0}]), "limits[0].requests_per_minute"),
    (document(limits=[{"scope": "key", "run_steps": 5}]), "limits[0].run_steps"),
    (document(limits=[{"scope": "run", "run_cost": 0}]), "limits[0].run_cost"),
]


@pytest.mark.parametrize(("made", "where"), [*FORM, *MEANING])
def test_each_fault_has_its_place(made: Any, where: str) -> None:
    found = told(made)
    assert where in found, found
    assert list(found) == [where], "nothing else is wrong with it"
    assert CANARY not in repr(list(found.values()))


def test_the_document_of_the_tests_has_no_fault() -> None:
    assert told(document()) == {}
    run = [{"scope": "run", "run_cost": "0.5", "run_steps": 20, "same_tool_calls": 3}]
    keys = {"key_1": {"route": "chat", "routes": ["chat"], "system": "hr"}}
    assert told(document(limits=run, keys=keys, regions={"claims": ["eu"]})) == {}


def test_all_faults_are_told_at_once() -> None:
    made = document(
        upstreams={"main": {**UP, "credential": CANARY}, "other": {**UP, "base_url": "gopher://x"}},
        routes={"chat": {"release": "gone"}, "split": {}},
        budgets=[{"scope": "key", "amount": 0}],
    )
    assert list(told(made)) == [
        "upstreams.main.credential",
        "upstreams.other.base_url",
        "routes.chat.release",
        "routes.split",
        "budgets[0].amount",
    ]
    many = document(routes={f"r{number}": {} for number in range(MOST * 2)})
    assert len(told(many)) == MOST


@pytest.mark.parametrize(
    ("credential", "fine"),
    [
        ("env:KEY", True),
        ("file:/run/key", True),
        ("vault:kv/x#y", True),
        ("file:key", False),
        ("env:", False),
        ("workload:gcp", True),
        ("workload:aws", False),  # it signs
        ("workload:", False),
        ("workload:other", False),
    ],
)
def test_the_operator_may_name_what_is_on_the_machine(credential: str, fine: bool) -> None:
    operator = Known(operator=True)
    assert (told(upstream(credential=credential), operator) == {}) is fine
    assert told(upstream(dialect="bedrock", region="us-east-1"), operator) == {}
    assert told(upstream(dialect="bedrock", region="eu", credential="workload:aws"), operator) == {}
    runtime = "https://bedrock-runtime.eu-central-1.amazonaws.com"
    assert told(upstream(dialect="bedrock", base_url=runtime, region="eu"), operator) == {}


@pytest.mark.parametrize(
    "changed",
    [
        {"base_url": "https://elsewhere.example.com/v1"},
        {"credential": "env:OTHER"},
        {"headers": {"x-to": "me"}},
        {"dialect": "anthropic"},
        {"auth": "api-key"},
        {"region": "us"},
    ],
)
def test_what_the_operator_gave_an_upstream_goes_with_it_nowhere_else(changed: dict[str, Any]) -> None:
    ours = upstream(credential="env:KEY")
    kept = Known(kept=msgspec.convert(ours, Configuration).upstreams)
    assert told(ours, kept) == {}
    assert told(upstream(credential="env:KEY", models=["a", "gpt-4o-mini"], concurrency=9), kept) == {}
    assert list(told(upstream(**{"credential": "env:KEY", **changed}), kept)) == ["upstreams.main.credential"]
    moved = document(upstreams={"main": UP, "other": {**UP, "credential": "env:KEY"}})
    assert list(told(moved, kept)) == ["upstreams.other.credential"]


def test_every_dialect_takes_its_usual_way() -> None:
    for dialect, ways in AUTHS.items():
        for way in ways:
            credential = {} if way == "none" else {"credential": "secret:sec_1"}
            assert told(upstream(dialect=dialect.value, auth=way.value, region="eu-1", **credential)) == {}, (
                dialect,
                way,
            )


IN = {**UP, "region": "eu"}
OUT = {**UP, "region": "us"}


@pytest.mark.parametrize(
    ("regions", "routes", "keys", "where"),
    [
        ({"*": ["eu"]}, {"a": {"release": "two"}}, {}, "releases.two.chain[1]"),
        ({"*": ["eu"]}, {"a": {"release": "one", "shadow": {"release": "two"}}}, {}, "releases.two.chain[1]"),
        ({"*": ["eu"]}, {"a": {"variants": [{"release": "two"}]}}, {}, "releases.two.chain[1]"),
        ({"hr": ["eu"]}, {"a": {"release": "two", "system": "hr"}}, {}, "releases.two.chain[1]"),
        ({"hr": ["eu"]}, {"a": {"release": "two"}}, {"key_1": {"system": "hr"}}, "releases.two.chain[1]"),
        ({"hr": ["eu"]}, {"a": {"release": "two", "system": "shop"}}, {}, None),
        (
            {"hr": ["eu"]},
            {"a": {"release": "two", "system": "shop"}},
            {"key_1": {"system": "hr"}},
            "releases.two.chain[1]",
        ),
        ({"hr": ["eu"]}, {"a": {"release": "one", "system": "hr"}}, {}, None),
        ({"hr": ["eu", "us"], "*": ["eu"]}, {"a": {"release": "two", "system": "hr"}}, {}, None),
        (
            {"hr": ["eu"]},
            {"a": {"release": "two"}, "b": {"release": "one"}},
            {"key_1": {"system": "hr", "routes": ["b"]}},
            None,
        ),
    ],
)
def test_no_chain_leaves_the_regions_of_a_system(
    regions: Any, routes: Any, keys: Any, where: str | None
) -> None:
    made: dict[str, Any] = {
        "upstreams": {"in": IN, "out": OUT},
        "releases": {
            "one": {"chain": [{"upstream": "in"}]},
            "two": {"chain": [{"upstream": "in"}, {"upstream": "out"}]},
        },
        "routes": routes,
        "regions": regions,
        "keys": keys,
    }
    assert list(told(made)) == ([where] if where else [])
    if where is not None:
        made["upstreams"]["out"] = UP  # states no region
        assert list(told(made)) == [where]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"a: 1\na: 2\n", "line 2"),
        (b"a: &x 1\nb: *x\n", "aliases"),
        (b"a: [1\n", "line"),
        (b"\xff", "UTF-8"),
        (b"a: !!python/object:os.system x\n", "no plain value"),
        (b"a: 2026-99-99\n", "not YAML"),
        (b"x" * (2 << 20), "1 MiB"),
        (b"[" * 5000, "YAML"),
        (b"? [a]\n: b\n", "a name is text"),
        (b"content: {{name}}\n", "line 1, column 11: a name is text; and a text that begins with {"),
    ],
)
def test_text_that_cannot_be_read(text: bytes, said: str) -> None:
    with pytest.raises(Invalid) as refused:
        parse(text)
    assert said in refused.value.detail


@pytest.mark.parametrize(
    "made",
    [
        lambda size: json.dumps({"a": "{{a}}" * (size // 5)}),
        lambda size: "a: |\n" + "  {{#a}} a line\n" * (size // 16),
        lambda size: "a: {" + "{{a}}" * (size // 5),
        lambda size: 'a: "' + "{{a}} \n  " * (size // 9),
        lambda size: "a:\n" + "- '{{a}}'\n" * (size // 10),
    ],
    ids=["one line", "lines", "no quotes", "never closed", "a list"],
)
def test_a_hostile_document_takes_time_in_proportion(made: Callable[[int], str]) -> None:
    def took(size: int) -> float:
        text = made(size).encode()
        began = time.process_time()
        with suppress(Invalid):
            parse(text)
        return time.process_time() - began

    baseline = min(took(1 << 15) for _ in range(2))
    assert took(1 << 18) < 24 * baseline + 0.05, "8 in proportion, 64 by the square"


def test_yaml_and_json_say_the_same() -> None:
    made = document()
    assert parse(msgspec.json.encode(made)) == made
    assert parse(b"") == {}
    assert parse("\ufeffa: ü\n".encode()) == {"a": "ü"}


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    [
                        "upstreams",
                        "releases",
                        "routes",
                        "keys",
                        "budgets",
                        "limits",
                        "regions",
                        "main",
                        "chain",
                        "release",
                    ]
                ),
                inner,
                max_size=4,
            )
        ),
        max_leaves=12,
    )
)
def test_reading_never_raises(made: Any) -> None:
    configured, found = read(made)
    assert (configured is None) == bool(found)
    if configured is not None:
        faults(configured, KNOWN)


def test_differences_name_parts_and_fields_and_no_values() -> None:
    before = msgspec.convert(document(regions={"hr": ["eu"]}), Configuration)
    made = document(budgets=[{"scope": "key", "amount": 5, "period": "day"}])
    made["upstreams"]["main"] |= {"credential": "secret:sec_1", "models": []}
    made["upstreams"]["third"] = UP
    del made["releases"]["two"]
    found = changes(before, msgspec.convert(made, Configuration))
    assert [(one.where, one.what, one.fields) for one in found] == [
        ("upstreams.main", "changed", ("credential", "models")),
        ("upstreams.third", "added", ()),
        ("releases.two", "removed", ()),
        ("regions.hr", "removed", ()),
        ("budgets (workspace)", "removed", ()),
        ("budgets (key day)", "added", ()),
    ]
    assert "sec_1" not in repr(found)
    assert changes(before, before) == ()


def test_a_release_is_taken_apart_without_loss() -> None:
    made = {
        "chain": [{"upstream": "main", "model": "m"}],
        "parameters": {"temperature": 0, "tools": [{"type": "function"}]},
        "prompt": {"messages": [{"role": "user", "content": "x"}]},
        "continue_on_fallback": True,
    }
    body, components = parts(msgspec.convert({"releases": {"r": made}}, Configuration).releases["r"], {})
    assert body == {"continue_on_fallback": True}
    assert json.loads(json.dumps(components)) == {
        "model": {"chain": made["chain"], "parameters": {"temperature": 0}},
        "tools": {"tools": [{"type": "function"}]},
        "prompt": made["prompt"],
    }
    assert set(components) == {Kind.MODEL, Kind.TOOLS, Kind.PROMPT}


def test_which_models_need_a_price() -> None:
    made = document(keys={"key_1": {"models": ["by-key"]}})
    made["upstreams"]["other"]["prices"] = {"hinted": {"input_uncached": 1}}
    made["routes"]["split"]["models"] = ["alias"]
    found = models_asked(msgspec.convert(made, Configuration))
    assert found == {
        "main": {"gpt-4o-mini", "alias", "by-key"},
        "other": {"claude-sonnet-4-5", "hinted"},
    }
