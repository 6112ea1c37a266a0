"""`holdfast prompts import`: histories of prompts from git, Langfuse or CSV, sent to a core."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from holdfast.commands.evals import Where, core
from holdfast.commands.prompt_sources import Past
from holdfast.kernel.errors import Invalid

PATH = "/api/v1/prompts/import"
_FORMAT = "%x1e%H%x1f%an%x1f%aI%x1f%B%x1f"


def read(file: Path) -> str:
    """A file's text. Raises Invalid."""
    try:
        return file.read_bytes().decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise Invalid(f"{file} cannot be read as UTF-8 text: {error}", where="file") from error


def from_git(repository: Path, path: str, name: str, role: str) -> dict[str, list[Past]]:
    """The versions of a file at the commits that touched it, through renames, the oldest first. `path` is from the
    repository's root. Raises Invalid.
    """
    git = shutil.which("git")
    if git is None:
        raise Invalid("there is no git on the PATH; install it", where="git")
    top = _git(git, repository, "rev-parse", "--show-toplevel")
    if top is None:
        raise Invalid(f"{repository} is no git repository with files; name its folder", where="repository")
    root = Path(top.decode().rstrip("\n"))
    log = _git(git, root, "log", "--follow", "--name-status", "-z", f"--format={_FORMAT}", "--", path)
    if not log:
        raise Invalid(
            f"no commit of {root} touched {path}; give the path from the repository's root", where="path"
        )
    found = []
    for block in reversed(log.decode("utf-8", "replace").split("\x1e")[1:]):
        head, _, tail = block.rpartition("\x1f")
        commit, author, date, message = head.split("\x1f", 3)
        names = [one for one in tail.split("\0") if one.strip()]
        if not names:
            continue
        past = Past(f"commit {commit[:12]}", [], author or None, date, message.strip(), commit)
        text = _git(git, root, "show", f"{commit}:{names[-1]}")
        if names[0].strip().startswith("D"):
            past.refused = "the file was deleted here"
        elif text is None:
            past.refused = "the file cannot be read at this commit"
        else:
            try:
                past.messages = [{"role": role, "content": text.decode()}]
            except UnicodeDecodeError:
                past.refused = "the file is no UTF-8 text here"
        found.append(past.shortened())
    return {name or PurePosixPath(path).with_suffix("").as_posix(): found}


def _git(git: str, folder: Path, *arguments: str) -> bytes | None:
    """What it prints; None where it fails."""
    command = [git, "-C", str(folder), "--literal-pathspecs", "--no-pager", *arguments]
    done = subprocess.run(command, capture_output=True, check=False)
    return done.stdout if done.returncode == 0 else None


def sent(
    where: Where, histories: Mapping[str, list[Past]], source: str, *, dry: bool
) -> list[dict[str, Any]]:
    """Each version with what became of it. Names are all tried before the first is written. Raises Invalid, Unavailable."""
    with core(where) as ask:
        found = [row for name in histories for row in _one(ask, name, histories[name], source, True)]
        if dry:
            return found
        return [row for name in histories for row in _one(ask, name, histories[name], source, False)]


def _one(ask: Any, name: str, history: list[Past], source: str, dry: bool) -> Iterator[dict[str, Any]]:
    given = [
        {
            "messages": one.messages,
            "author": one.author,
            "date": one.date,
            "rationale": one.rationale,
            "ticket": one.ticket,
        }
        for one in history
        if not one.refused
    ]
    wanted = {"name": name, "source": source, "versions": given, "dry": dry}
    answers = iter(ask("POST", PATH, json=wanted) if given else ())
    for one in history:
        refusal = {"what": "refused", "number": None, "why": [one.refused]}
        answer = refusal if one.refused else next(answers)
        about = {"name": name, "place": one.place, "author": one.author, "date": one.date}
        yield {**about, **answer, "notes": one.notes}


def lines(found: list[dict[str, Any]], dry: bool) -> Iterator[str]:
    """What became of each version, for people."""
    said = {
        "added": "would be added as version {}" if dry else "added as version {}",
        "kept": "imported before",
        "same": "same as the one before",
        "refused": "not imported",
    }
    for one in found:
        by = f"{one['author'] or 'author unknown'}, {one['date'] or 'date unknown'}"
        yield f"{one['name']}: {one['place']} ({by}): {said[one['what']].format(one['number'])}"
        yield from (f"    {why}" for why in [*one["why"], *one["notes"]])
    added = sum(one["what"] == "added" for one in found)
    refused = sum(one["what"] == "refused" for one in found)
    yield f"{added or 'nothing'} {'would be' if dry else 'is'} added; {refused or 'none'} not imported"
