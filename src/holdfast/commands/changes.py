"""`holdfast apply`, `changes`, `releases` and `knowledge`: asked of a core on this machine or elsewhere."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from holdfast.commands.evals import Where, core
from holdfast.kernel.errors import Invalid

PATH = "/api/v1/changes"
REGISTRY = "/api/v1/registry"
DIFFERS = 2
"""Exit code of a plan by which something differs."""
_SIGNS = {
    "none": " ",
    "propose": "+",
    "edit": "~",
    "proposed": "…",
    "conflict": "!",
}
_SAID = {
    "none": "no difference",
    "propose": "a change would be proposed",
    "edit": "the draft would be written anew",
    "proposed": "an open change proposes exactly this",
    "conflict": "another change of this route is open",
}


def collected(folder: Path) -> dict[str, str]:
    """Path below the folder → text: YAML, Markdown, text and whatever else is UTF-8; hidden ones are passed over.

    Raises Invalid.
    """
    if not folder.is_dir():
        raise Invalid(f"{folder} is no folder", where="dir")
    found = {}
    for file in sorted(folder.rglob("*")):
        path = file.relative_to(folder)
        if any(part.startswith(".") for part in path.parts) or not file.is_file():
            continue
        try:
            if file.suffix in (".yaml", ".yml", ".md", ".txt", ".prompt"):
                found[path.as_posix()] = file.read_bytes().decode("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise Invalid(f"{file} cannot be read as UTF-8 text: {error}", where="dir") from error
    return found


def planned(where: Where, files: dict[str, str]) -> dict[str, Any]:
    """What applying them would do. Raises Invalid, Unavailable."""
    with core(where) as ask:
        found: dict[str, Any] = ask("POST", "/api/v1/releases/plan", json={"files": files})
    return found


def apply(where: Where, files: dict[str, str], digest: str, *, beside: bool, submit: bool) -> dict[str, Any]:
    """Applies a plan that was looked at; with `submit` its changes are submitted. Raises Invalid, Unavailable."""
    with core(where) as ask:
        wanted = {"files": files, "digest": digest, "beside": beside}
        found: dict[str, Any] = ask("POST", "/api/v1/releases/apply", json=wanted)
        if submit:
            found["changes"] = [ask("POST", f"{PATH}/{one['id']}/submit") for one in found["changes"]]
    return found


def plan_lines(found: dict[str, Any]) -> Iterator[str]:
    """A plan for people."""
    for one in found["routes"]:
        yield f"{_SIGNS[one['action']]} {one['route']}: {_SAID[one['action']]} ({one['file']})"
        if one["action"] != "none":
            by = f" by {one['decided_by']} (from {one['decided_source']})" if one["decided_by"] else ""
            yield f"    serves {one['baseline'] or 'none'}{by}; the files say {one['candidate']}"
        if one["class"]:
            yield f"    class {one['class']}"
            yield from (f"      {it['class']}: {it['where']}: {it['what']}" for it in one["reasons"])
        yield from (f"    | {line}" for line in one["lines"])
        for it in one["versions"]:
            yield f"    + {it['kind']} {it['name']}: version {it['number']} would be added"
        if one["change"]:
            yield f"    change {one['change']}"
        for it in one["conflicts"]:
            yield f"    ! {it['change']} is {it['state']}: {it['title']}"
    if found["unfiled"]:
        yield f"routes without a file, which stay as they are: {', '.join(found['unfiled'])}"
    if not found["differs"]:
        yield "no difference: what is served is what the files say"


def export(where: Where, folder: Path) -> str:
    """Writes what routes serve as files that apply without a difference. Raises Invalid, Unavailable."""
    with core(where) as ask:
        found = ask("GET", "/api/v1/releases/export")
    for path, text in found["files"].items():
        target = folder / path
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(text.encode())
        except OSError as error:
            raise Invalid(f"{target} cannot be written: {error.strerror}", where="dir") from error
    left = [f"left out, as the configuration splits it by itself: {one}" for one in found["left_out"]]
    return "\n".join([f"{len(found['files'])} files in {folder}", *left])


def listed(where: Where, params: dict[str, Any]) -> list[dict[str, Any]]:
    """Changes, the latest first. Raises Invalid, Unavailable."""
    with core(where) as ask:
        found: list[dict[str, Any]] = ask("GET", PATH, params=params)
    return found


def line(one: dict[str, Any]) -> str:
    """A change in a line."""
    return f"{one['id']}  {one['created_at']}  {one['state']:11}  {one['class']:9}  {one['route']}  {one['title']}"


def shown(where: Where, id: str) -> dict[str, Any]:
    """A change with all that was decided and found about it. Raises Invalid, Unavailable."""
    with core(where) as ask:
        found: dict[str, Any] = ask("GET", f"{PATH}/{id}")
    return found


def shown_lines(found: dict[str, Any]) -> Iterator[str]:
    """The same for people."""
    one = found["change"]
    yield line(one)
    yield f"  by {one['author']['name']}, from {one['source']}; {one['baseline']} → {one['candidate']}, {one['share']} %"
    yield from (f"  {it['class']}: {it['where']}: {it['what']}" for it in one["reasons"])
    yield from (f"  gate {it['suite']}: {it['verdict']}" for it in found["gate"])
    yield from (f"  {it['decision']} by {it['person']['name']}: {it['note']}" for it in found["reviews"])
    for it in found["evidence"]:
        yield f"  {it['at']}  {it['event']}: {it['before']} → {it['after']}  {it['reason']}  ({it['actor_name']})"


def act(where: Where, id: str, verb: str, reason: str = "") -> dict[str, Any]:
    """Submits, withdraws, advances, holds or resumes a change; the change after it. Raises Invalid, Unavailable."""
    with core(where) as ask:
        more = {} if verb == "submit" else {"json": {"reason": reason}}
        found: dict[str, Any] = ask("POST", f"{PATH}/{id}/{verb}", **more)
    return found


def review(where: Where, id: str, decision: str, note: str, content: str) -> dict[str, Any]:
    """Decides about what stands there now, or about the content that was read. Raises Invalid, Unavailable."""
    with core(where) as ask:
        read = content or ask("GET", f"{PATH}/{id}")["change"]["content"]
        wanted = {"decision": decision, "content_hash": read, "note": note}
        found: dict[str, Any] = ask("POST", f"{PATH}/{id}/reviews", json=wanted)
    return found


def propose(where: Where, wanted: dict[str, Any]) -> dict[str, Any]:
    """A draft. Raises Invalid, Unavailable."""
    with core(where) as ask:
        found: dict[str, Any] = ask("POST", PATH, json=wanted)
    return found


def push(where: Where, source: Path, name: str, rationale: str) -> dict[str, Any]:
    """Registers which documents a knowledge base holds. Raises Invalid, Unavailable."""
    documents = list(_documents(source))
    with core(where) as ask:
        wanted = {"name": name, "documents": documents, "rationale": rationale}
        found: dict[str, Any] = ask("POST", f"{REGISTRY}/manifests", json=wanted)
    return found


def manifests(where: Where, name: str) -> list[dict[str, Any]]:
    """Manifests, the latest first. Raises Invalid, Unavailable."""
    with core(where) as ask:
        found: list[dict[str, Any]] = ask(
            "GET", f"{REGISTRY}/manifests", params={"name": name} if name else {}
        )
    return found


def manifest_difference(where: Where, old: str, new: str) -> dict[str, Any]:
    """How two manifests differ. Raises Invalid, Unavailable."""
    with core(where) as ask:
        found: dict[str, Any] = ask("GET", f"{REGISTRY}/manifest-difference", params={"old": old, "new": new})
    return found


def _documents(source: Path) -> Iterator[dict[str, Any]]:
    """Of a folder each file by path and SHA-256, without a date; else CSV or JSON lines: id, hash, source, date."""
    try:
        if source.is_dir():
            for file in sorted(source.rglob("*")):
                path = file.relative_to(source)
                if file.is_file() and not any(part.startswith(".") for part in path.parts):
                    yield {"id": path.as_posix(), "hash": hashlib.sha256(file.read_bytes()).hexdigest()}
            return
        text = source.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise Invalid(f"{source} cannot be read: {error}", where="source") from error
    if source.suffix == ".csv":
        for row in csv.DictReader(io.StringIO(text)):
            yield {name: row[name] for name in ("id", "hash", "source", "date") if row.get(name)}
        return
    for number, one in enumerate(text.splitlines(), 1):
        try:
            if one.strip():
                yield json.loads(one)
        except ValueError as error:
            raise Invalid(
                f"{source}:{number}: this is not JSON; one document a line", where="source"
            ) from error
