"""Releases in files: planned, applied as changes, refused whole, and written so that they apply without a difference."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from tests.changes.bench import Bench
from tests.gateway.control.desk import document

from holdfast.changes import store
from holdfast.changes.actions import applying
from holdfast.changes.model import State
from holdfast.changes.reads import exporting
from holdfast.changes.rules import release_files
from holdfast.kernel.errors import Conflict, Invalid
from holdfast.registry import reads as registry
from holdfast.registry.model import Kind
from holdfast.storage.sql import Database

PROMPT = "You answer {{ name }}.\nBe brief."


@pytest.fixture
def bench(database: Database, clock: Any, tmp_path: Path) -> Bench:
    return Bench(database, None, clock, tmp_path)


def files(text: str = PROMPT, **more: Any) -> dict[str, bytes]:
    release = {
        "chain": [{"upstream": "main", "model": "gpt-4o-mini"}],
        "parameters": {"temperature": 0.2},
        "prompt": {"messages": [{"role": "system", "file": "prompts/chat.md"}], "variables": {"name": {}}},
    }
    whole = {
        "route": "chat",
        "title": "Brief",
        "rationale": "they ask for it",
        "ticket": "OPS-1",
        "names": {"prompt": "chat/answer"},
        "release": {**release, **more},
    }
    return {
        "chat.yaml": yaml.safe_dump(whole, sort_keys=False).encode(),
        "prompts/chat.md": f"{text}\n".encode(),
    }


def plan(bench: Bench, given: dict[str, bytes]) -> applying.Plan:
    with bench.database.reading() as tx:
        return applying.plan(bench.by(bench.ann), tx, given)


def apply(bench: Bench, given: dict[str, bytes], **more: Any) -> Any:
    with bench.database.transaction() as tx:
        return applying.apply(bench.by(bench.ann), tx, given, **more)


def export(bench: Bench) -> dict[str, bytes]:
    with bench.database.reading() as tx:
        found, _ = exporting.exported(bench.by(bench.ann), tx)
    return {path: text.encode() for path, text in found.items()}


def changes(bench: Bench) -> Any:
    with bench.database.reading() as tx:
        return store.listed(tx, bench.workspace)


def test_a_plan_says_what_differs_and_changes_nothing(bench: Bench) -> None:
    before = len(bench.audit())
    [one] = plan(bench, files()).routes
    assert one.difference is not None and [part.kind for part in one.difference.parts] == [Kind.PROMPT]
    assert (
        one.change_class == "major"
        and one.classed is not None
        and "prompt added" in one.classed.reasons[0].what
    )
    assert [(it.name, it.number) for it in one.versions] == [("chat/answer", 1)]
    assert plan(bench, files()).unfiled == ("split",)
    assert changes(bench) == [] and len(bench.audit()) == before


def test_applying_proposes_and_names_and_what_is_served_stays(bench: Bench) -> None:
    _, [made] = apply(bench, files(), digest=plan(bench, files()).digest)
    assert (made.state, made.source, made.author.id, made.ticket) == (State.DRAFT, "file", bench.ann, "OPS-1")
    with bench.database.reading() as tx:
        release, parts = registry.release(bench.by(bench.ann), tx, made.candidate)
        [version] = registry.versions(bench.by(bench.ann), tx, Kind.PROMPT, "chat/answer")
    assert version.hash == release.components[Kind.PROMPT] and version.rationale == "they ask for it"
    said = next(one.body for one in parts if one.kind is Kind.PROMPT)
    assert said["messages"] == [{"role": "system", "content": PROMPT}]
    with bench.database.reading() as tx:
        from holdfast.gateway.reads import traffic

        assert traffic.governed(bench.by(bench.ann), tx) == {}, "a draft decides nothing"


def test_applied_again_it_is_proposed_already(bench: Bench) -> None:
    apply(bench, files())
    again, made = apply(bench, files())
    assert made == () and again.routes[0].proposed and again.differs and len(changes(bench)) == 1
    assert again.routes[0].versions == ()


def test_a_draft_from_files_is_written_anew(bench: Bench) -> None:
    _, [first] = apply(bench, files())
    _, [second] = apply(bench, files("You answer {{ name }}."))
    assert (first.id, second.version) == (second.id, 2) and first.candidate != second.candidate


def test_another_open_change_of_the_route_is_a_conflict(bench: Bench) -> None:
    other = bench.submitted(bench.by(bench.ben))
    assert [one.id for one in plan(bench, files()).routes[0].conflicts] == [other.id]
    with pytest.raises(Conflict, match=other.id):
        apply(bench, files())
    assert len(changes(bench)) == 1
    with bench.database.reading() as tx:
        assert registry.names(bench.by(bench.ann), tx, Kind.PROMPT) == []
    apply(bench, files(), beside=True)
    assert len(changes(bench)) == 2


def test_a_plan_that_is_another_by_now_is_not_applied(bench: Bench) -> None:
    digest = plan(bench, files()).digest
    bench.propose(bench.by(bench.ben))
    with pytest.raises(Conflict, match="plan"):
        apply(bench, files(), digest=digest)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (files("Hello {{ nobody }}"), "prompts/chat.md:1:7"),
        (files(top=1), "chat.yaml:"),
        (files(chain=[{"upstream": "none"}]), "chat.yaml:9:"),
        (files(parameters={"model": "x"}), "chat.yaml:"),
        ({"chat.yaml": files()["chat.yaml"]}, "there is no file prompts/chat.md"),
        ({"a.yaml": b"route: [\n"}, "a.yaml:2"),
        ({"a.yaml": b"route: chat\nrelese: 1\nrelease: {}\n"}, "a.yaml:2:1 relese"),
        ({"a.yaml": b"route: none\nrelease: {chain: [{upstream: main}]}\n"}, "a.yaml:1:1 route"),
        (
            {
                "a.yaml": b"route: chat\nrelease:\n  prompt: {messages: [{role: system, file: ../../etc/passwd}]}\n"
            },
            "move it there",
        ),
        (
            {"a.yaml": b"route: chat\nnames: {tools: x}\nrelease: {chain: [{upstream: main}]}\n"},
            "a.yaml:2:1 names",
        ),
        ({}, "no release here"),
    ],
)
def test_what_is_wrong_is_told_with_its_place_and_nothing_is_applied(
    bench: Bench, given: dict[str, bytes], told: str
) -> None:
    good = b"route: split\nrelease: {chain: [{upstream: main}]}\n"
    with pytest.raises(Invalid) as refused:
        apply(bench, {**given, **({"z.yaml": good} if given else {})})
    assert told in refused.value.detail
    assert changes(bench) == []


def test_what_is_exported_applies_without_a_difference(bench: Bench) -> None:
    made = document(guardrails={"pii": {"kind": "pii", "action": "block", "at": "output"}})
    made["releases"]["three"] = {
        **made["releases"]["two"],
        "guardrails": ["pii"],
        "continue_on_fallback": True,
        "parameters": {"temperature": 1e-7, "stop": ["no", "12:30", "1e3"], "seed": 7},
        "agent": {"steps": [{"name": "plan"}], "cost_limit": "0.25"},
        "retrieval": {"top_k": 4, "chunking": {"overlap": 0.1}},
    }
    made["routes"]["a/b"] = {"release": "three"}
    bench.desk.apply(bench.by(bench.ann), made)
    found = export(bench)
    assert "a-b.yaml" in found and "split.yaml" not in found
    whole = plan(bench, found)
    assert not whole.differs and [one.difference for one in whole.routes] == [None, None]
    before = len(bench.audit())
    apply(bench, found)
    assert len(bench.audit()) == before and changes(bench) == []


TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40)


@given(
    TEXT,
    st.dictionaries(
        TEXT.filter(bool),
        TEXT | st.integers(-(2**40), 2**40) | st.floats(-1e9, 1e9) | st.booleans() | st.none(),
        max_size=3,
    ),
)
def test_whatever_a_release_says_comes_through_files(text: str, parameters: dict[str, Any]) -> None:
    release = {
        "chain": [{"upstream": "main"}],
        "parameters": parameters,
        "prompt": {"messages": [{"role": "system", "content": text}]},
    }
    found = release_files.written({"chat": (release, {})})
    read = release_files.read({path: one.encode() for path, one in found.items()})
    assert read.faults == () and read.routes[0].release == release
