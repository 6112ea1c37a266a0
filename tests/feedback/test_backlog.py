"""A backlog in a file: every fault with its line, or all of it; taken in twice it is kept once."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.feedback.given import NOON, Inbox, item
from tests.feedback.test_doors import send

from holdfast.commands import backlog as commands
from holdfast.feedback.actions import backlog
from holdfast.feedback.actions.taking import Taking
from holdfast.feedback.model import Source
from holdfast.feedback.rules import backlog as rules
from holdfast.feedback.rules import plan
from holdfast.kernel.errors import Conflict, Invalid
from holdfast.platform.settings import Settings
from running_core import Workspace

CSV = """\
thumb,text,when,channel,stars
up,"Quick, and right",2026-03-01T10:00:00Z,mail,5
down,"Two
lines",2026-03-02T10:00:00+01:00,chat,1
,Only words,,,
"""
COLUMNS = {"rating": "thumb", "comment": "text", "created_at": "when", "score": "stars"}


def read(text: str, form: str = "csv", **more: object) -> rules.Backlog:
    told = {"columns": {}, "scale": None} | more
    return rules.read("old.csv", text, rules.Form(form, **told), "ws", NOON)  # type: ignore[arg-type]


def faults(error: pytest.ExceptionInfo[Invalid]) -> list[tuple[str, str]]:
    return [(where, what.partition(":")[0]) for where, what in error.value.errors]


def test_a_csv_with_columns_of_its_own_is_read() -> None:
    found = read(CSV, columns=COLUMNS, scale=5).items
    assert [one.rating for one in found] == [1, -1, None]
    assert [one.score for one in found] == [1.0, 0.0, None]
    assert found[1].comment == "Two\nlines"
    assert found[1].created_at.isoformat() == "2026-03-02T09:00:00+00:00"
    assert [dict(one.metadata) for one in found] == [{"channel": "mail"}, {"channel": "chat"}, {}]
    assert {one.source for one in found} == {Source.IMPORT}
    assert [one.id for one in found] == [one.id for one in read(CSV, columns=COLUMNS, scale=5).items]


def test_every_fault_is_named_by_its_line() -> None:
    text = (
        "rating,score,comment,created_at\n"
        "sideways,,a,\n"
        '1,,"two\nlines",\n'
        "1,7,b,\n"
        "1,,c,yesterday\n"
        ",,,2026-01-01T00:00:00Z\n"
        "1,0.5,d,,more\n"
    )
    with pytest.raises(Invalid) as told:
        read(text)
    assert faults(told) == [
        ("old.csv:2", "rating"),
        ("old.csv:5", "score"),
        ("old.csv:6", "created_at"),
        ("old.csv:7", "it says nothing"),
        ("old.csv:8", "it has more cells than the first line; quote cells with commas"),
    ]


def test_json_lines_name_their_faults_too() -> None:
    lines = [
        '{"rating": 1}',
        "{",
        "[1]",
        '{"rating": 1, "comment": {"a": 1}}',
        "",
        '{"id": "x", "score": 0.5}',
    ]
    with pytest.raises(Invalid) as told:
        read("\n".join([*lines, '{"id": "x", "score": 0.6}']), "jsonl")
    assert [where for where, _ in told.value.errors] == ["old.csv:2", "old.csv:3", "old.csv:4", "old.csv:7"]


@pytest.mark.parametrize(
    ("text", "more"),
    [("", {}), ("rating\n", {}), ("rating\n1\n", {"columns": {"colour": "rating"}}),
     ("rating\n1\n", {"columns": {"comment": "text"}}), ("rating\n1\n", {"scale": 1})],
)  # fmt: skip
def test_a_file_or_form_that_cannot_be_used_is_refused(text: str, more: dict[str, object]) -> None:
    with pytest.raises(Invalid):
        read(text, **more)


@given(st.text(max_size=300), st.sampled_from(["csv", "jsonl"]))
def test_whatever_stands_in_a_file_it_is_read_or_refused(text: str, form: str) -> None:
    try:
        found = read(text, form)
    except Invalid:
        return
    assert found.rows >= len(found.items)


def taken(inbox: Inbox, tmp_path: Path, text: str, **how: object) -> backlog.Imported:
    taking = Taking(Settings(data=tmp_path), inbox.database)
    form = rules.Form("jsonl", {})
    found = rules.read("old.jsonl", text, form, inbox.ctx.workspace, inbox.ctx.now)
    return backlog.take(taking, inbox.ctx, found, **how)  # type: ignore[arg-type]


def lines(count: int) -> str:
    return "\n".join(
        json.dumps({"id": f"old-{n}", "rating": -1, "comment": f"number {n}"}) for n in range(count)
    )


def test_a_backlog_is_kept_once_with_progress(inbox: Inbox, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    assert taken(inbox, tmp_path, lines(1200), dry_run=True).added == 1200
    assert inbox.ids() == []
    done = taken(inbox, tmp_path, lines(1200), tell=lambda n, total: told.append((n, total)))
    assert (done.rows, done.added, done.known) == (1200, 1200, 0)
    assert told == [(500, 1200), (1000, 1200), (1200, 1200)]
    again = taken(inbox, tmp_path, lines(1201))
    assert (again.added, again.known) == (1, 1200)


def test_an_id_that_says_something_else_stops_it_before_anything_is_kept(
    inbox: Inbox, tmp_path: Path
) -> None:
    inbox.add(item("old-7"))
    with pytest.raises(Conflict, match="old-7"):
        taken(inbox, tmp_path, lines(1000))
    assert inbox.ids() == ["old-7"]


def test_a_plan_puts_the_heaviest_first() -> None:
    said = [
        *(("tone", item(f"t{n}", rating=None, score=0.4)) for n in range(4)),
        *(("facts", item(f"f{n}", correction="no" if n else None)) for n in range(3)),
        ("", item("u")),
        ("praise", item("p", rating=1)),
    ]
    found = plan.steps(said, {})
    assert [(one.group, one.items, round(one.weight, 2), one.corrected) for one in found] == [
        ("facts", 3, 3.0, 2),
        ("tone", 4, 2.4, 0),
        ("", 1, 1.0, 0),
    ]
    assert "cases of the 2" in found[0].next
    assert "triage" in found[2].next


def test_what_was_exported_can_be_imported_elsewhere(workspace: Workspace) -> None:
    for number in range(3):
        told = {"session": "s", "score": 0.25, "comment": f"number {number}", "label": "tone"}
        send(workspace, "POST", "feedback", told)
    text = send(workspace, "GET", "feedback/export").text
    other = workspace.core.workspace(scopes="ingest,read,content,operate")
    body = {"format": "jsonl", "file": "feedback.jsonl", "text": text}
    done = send(other, "POST", "feedback/imports", body)
    assert done.status_code == 200, done.text
    assert (done.json()["added"], done.json()["plan"][0]["label"]) == (3, "tone")
    kept = [(one["id"], one["comment"], one["score"]) for one in other.get("feedback")["items"]]
    assert kept == [(one["id"], one["comment"], one["score"]) for one in workspace.get("feedback")["items"]]
    bad = send(other, "POST", "feedback/imports", {**body, "text": text + '{"rating": 9}\n'})
    assert bad.status_code == 422
    assert bad.json()["errors"][0]["where"] == "feedback.jsonl:4"


def test_the_command_imports_while_the_server_runs(workspace: Workspace, tmp_path: Path) -> None:
    file = tmp_path / "old.csv"
    file.write_text(CSV, encoding="utf-8")
    columns = [f"{ours}={theirs}" for ours, theirs in COLUMNS.items()]
    settings = workspace.core.settings
    told = commands.imported(settings, file, "", columns, 5, workspace.slug, dry_run=False)
    assert told.startswith("3 rows: 3 added, 0 there before")
    assert "1. (not sorted): 1 items" in told
    assert len(workspace.get("feedback")["items"]) == 3
    file.write_text(CSV.replace("up", "sideways"), encoding="utf-8")
    with pytest.raises(Invalid, match=r"old\.csv:2: rating"):
        commands.imported(settings, file, "", columns, 5, workspace.slug, dry_run=False)
    commands.link_key(settings, "mails", [], workspace.slug)
    url = commands.link(settings, "ab" * 8, "", 1, "", workspace.slug).splitlines()[0]
    assert workspace.core.client.get("/f/" + url.rpartition("/")[2]).status_code == 200
