"""Histories of prompts imported through the command line into a core that really runs."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.commands.prompt_sources import from_csv, from_langfuse
from holdfast.commands.prompts import from_git
from holdfast.kernel.errors import Invalid
from holdfast.registry.rules.histories import planned
from running_core import CoreProcess

HEADER = "name,prompt,author,date,rationale,ticket\n"


@given(st.lists(st.sampled_from("ABC"), max_size=12))
def test_an_import_again_adds_nothing_and_a_step_back_is_kept(contents: list[str]) -> None:
    marks = [(one, None, None) for one in contents]
    first = planned(marks, [])
    there = [mark for mark, what in zip(marks, first, strict=True) if what == "added"]
    assert [one[0] for one in there] == [
        one for at, one in enumerate(contents) if at == 0 or contents[at - 1] != one
    ]
    assert "added" not in planned(marks, there)


def test_every_bad_line_of_a_csv_is_named_with_its_line() -> None:
    text = HEADER + 'a,"two\nlines",Ada,2025-03-01T09:00:00Z,why,T-1\na,x,Ada,2025-03-01,,\n,y,,,,\nb,z\n'
    with pytest.raises(Invalid) as refused:
        from_csv(text, "system")
    said = refused.value.detail
    assert all(f"line {line}: " in said for line in (4, 5, 6)) and "line 2" not in said
    with pytest.raises(Invalid, match="ticket"):
        from_csv("name,prompt,author,date,rationale\n", "system")
    [one] = from_csv(HEADER + 'a,"x, y",,,,\n', "user")["a"]
    assert (one.messages, one.author, one.date) == ([{"role": "user", "content": "x, y"}], None, None)


def test_langfuse_versions_come_in_order_and_what_stays_behind_is_named() -> None:
    base = {"name": "p", "createdAt": "2025-03-01T09:00:00.000Z", "createdBy": "ada", "commitMessage": "why"}
    chat = [{"role": "system", "content": "Hi {{name}}"}, {"type": "placeholder", "name": "history"}]
    rows = [
        {**base, "version": 2, "prompt": chat, "config": {"temperature": 0}},
        {**base, "version": 1, "prompt": "Hello {{name}}"},
    ]
    for text in (json.dumps(rows), json.dumps({"data": rows}), "\n".join(map(json.dumps, rows))):
        one, two = from_langfuse(text, "system")["p"]
        assert (one.place, one.author, one.rationale, one.refused) == ("version 1", "ada", "why", "")
        assert "placeholder" in two.refused and two.notes == ["config is not taken over"]


class Repository:
    """A repository with a prompt that was renamed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        self.git("init", "-q")
        self.write("old.txt", "You help {{name}} with orders.\nBe kind.\nBe brief.\n", "First\n\nOPS-1", 1)
        self.git("mv", "old.txt", "x.txt")
        self.commit("Renamed", 2)
        self.write("x.txt", "You help {{name}} with orders.\nBe kind.\nBe exact.\n", "Exact", 3)
        self.write("x.txt", "You help {{#name}} with orders.\nBe kind.\nBe exact.\n", "Section", 4)

    def git(self, *arguments: str, **more: str) -> None:
        names = {"GIT_AUTHOR_NAME": "Ada L", "GIT_COMMITTER_NAME": "Cy"}
        mails = {"GIT_AUTHOR_EMAIL": "a@nobody.test", "GIT_COMMITTER_EMAIL": "c@nobody.test"}
        command = ["git", "-C", str(self.folder), *arguments]
        subprocess.run(command, check=True, env={**os.environ, **names, **mails, **more})

    def commit(self, message: str, day: int) -> None:
        self.git("commit", "-qam", message, GIT_AUTHOR_DATE=f"2025-03-0{day}T09:00:00+02:00")

    def write(self, file: str, text: str, message: str, day: int) -> None:
        (self.folder / file).write_text(text)
        self.git("add", ".")
        self.commit(message, day)


def test_commits_are_read_oldest_first_through_a_rename(tmp_path: Path) -> None:
    made = Repository(tmp_path / "repo")
    found = from_git(made.folder, "x.txt", "", "system")["x"]
    assert [one.date for one in found] == [f"2025-03-0{day}T09:00:00+02:00" for day in (1, 2, 3, 4)]
    assert {one.author for one in found} == {"Ada L"} and found[0].rationale == "First\n\nOPS-1"
    assert all(len(one.ticket) == 40 for one in found)
    with pytest.raises(Invalid, match="no commit"):
        from_git(made.folder, "none.txt", "", "system")
    with pytest.raises(Invalid, match="no git repository"):
        from_git(tmp_path, "x.txt", "", "system")


@pytest.fixture(scope="module")
def core(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CoreProcess]:
    made = CoreProcess(tmp_path_factory.mktemp("histories") / "data", outbound_allow="127.0.0.1")
    made.start()
    try:
        yield made
    finally:
        made.stop()


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_a_history_is_imported_once_with_its_authors(core: CoreProcess, tmp_path: Path) -> None:
    from tests.changes.test_commands import Place

    at = Place(core, tmp_path)
    made = Repository(tmp_path / "repo")
    assert shutil.which("git")

    def sent(dry: bool = False) -> list[dict[str, Any]]:
        from holdfast.commands.evals import Where
        from holdfast.commands.prompts import sent as send
        from holdfast.platform.settings import Settings

        url = f"http://127.0.0.1:{core.port}"
        to = Where(Settings(data=tmp_path / "none", outbound_allow="127.0.0.1"), url=url, key=at.keys["ann"])
        return send(to, from_git(made.folder, "x.txt", "", "system"), "git:x.txt", dry=dry)

    def versions() -> Any:
        headers = {"authorization": f"Bearer {at.keys['ann']}"}
        path = "/api/v1/registry/versions?kind=prompt&name=x"
        return core.client.get(path, headers=headers).json()

    assert [one["what"] for one in sent(dry=True)] == ["added", "same", "added", "refused"]
    assert versions() == []
    first = sent()
    assert [one["number"] for one in first] == [1, None, 2, None]
    assert "begins a section" in first[3]["why"][0]
    two, one = versions()
    assert (one["original_author"], one["original_date"][:19]) == ("Ada L", "2025-03-01T07:00:00")
    assert one["author"] != "Ada L" and one["created_at"] > one["original_date"]
    assert (one["rationale"], len(one["ticket"])) == ("First\n\nOPS-1", 40)
    assert [row["what"] for row in sent()] == ["kept", "same", "kept", "refused"]
    assert versions() == [two, one]
    bad = tmp_path / "bad.csv"
    bad.write_text(HEADER + "a,fine,Ada,,,\na,x,Ada,yesterday,,\n")
    refused = at.run("ann", "prompts", "import", "csv", "--file", str(bad))
    assert refused.returncode == 1 and "line 3" in refused.stderr
    bad.write_text(HEADER + "a,fine,Ada,,,\n")
    assert at.json("ann", "prompts", "import", "csv", "--file", str(bad))[0]["number"] == 1
