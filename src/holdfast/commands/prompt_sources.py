"""Histories of prompts as git, Langfuse and CSV files hold them, read into versions in order."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from holdfast.kernel.errors import Invalid

LONGEST_RATIONALE = 4000
COLUMNS = ("name", "prompt", "author", "date", "rationale", "ticket")


@dataclass(slots=True)
class Past:
    """A version: `place` names it where it came from; `refused` says why it stays behind, `notes` what was left out."""

    place: str
    messages: list[dict[str, Any]] = field(default_factory=list)
    author: str | None = None
    date: str | None = None  # ISO 8601 with its offset
    rationale: str = ""
    ticket: str = ""
    refused: str = ""
    notes: list[str] = field(default_factory=list)

    def shortened(self) -> Past:
        """With a rationale that is taken; what is cut is noted."""
        if len(self.rationale) > LONGEST_RATIONALE:
            self.rationale = self.rationale[:LONGEST_RATIONALE]
            self.notes.append(f"the rationale is cut to {LONGEST_RATIONALE} characters")
        return self


def from_csv(text: str, role: str) -> dict[str, list[Past]]:
    """Name → versions in the file's order. Raises Invalid that names every bad line, its fault and the remedy."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    faults: list[str] = []
    found: dict[str, list[Past]] = {}
    try:
        header = [one.strip() for one in next(reader, [])]
        wrong = [one for one in COLUMNS if header.count(one) != 1]
        if wrong:
            raise Invalid(
                f"line 1: the header names each of {', '.join(COLUMNS)} once; see to {', '.join(wrong)}",
                where="file",
            )
        begins = reader.line_num + 1
        for cells in reader:
            line, begins = begins, reader.line_num + 1
            if not cells:
                continue
            if len(cells) != len(header):
                faults.append(
                    f"line {line}: {len(cells)} cells under {len(header)} columns; quote cells with commas"
                )
                continue
            row = dict(zip(header, cells, strict=True))
            name, date = row["name"].strip(), row["date"].strip()
            if not name:
                faults.append(f"line {line}: no name; name the prompt")
            if not row["prompt"].strip():
                faults.append(f"line {line}: no prompt; write its text, or remove the line")
            if date and not dated(date):
                faults.append(
                    f"line {line}: {date[:40]!r} is no date with a zone; write it like 2025-03-01T09:00:00Z"
                )
            past = Past(
                f"line {line}",
                [{"role": role, "content": row["prompt"]}],
                row["author"].strip() or None,
                date or None,
                row["rationale"],
                row["ticket"].strip(),
            )
            found.setdefault(name, []).append(past.shortened())
    except csv.Error as error:
        faults.append(f"line {reader.line_num}: {error}; quote cells as RFC 4180 says")
    if faults:
        raise Invalid("nothing is imported:\n" + "\n".join(faults), where="file")
    if not found:
        raise Invalid("the file has no versions; add lines below the header", where="file")
    return found


def dated(text: str) -> bool:
    """Whether this is an instant with its zone in ISO 8601."""
    try:
        return datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False


def from_langfuse(text: str, role: str) -> dict[str, list[Past]]:
    """Name → versions by number, of a JSON list, an object with `data` or one version, or JSON lines. Raises Invalid."""
    found: dict[str, list[tuple[int, Past]]] = {}
    for place, one in _values(text):
        if not isinstance(one, dict):
            raise Invalid(
                f"{place} is no prompt; an export holds objects with name and version", where="file"
            )
        name, version = one.get("name"), one.get("version")
        if not isinstance(name, str) or not name or type(version) is not int or "prompt" not in one:
            raise Invalid(
                f"{place} lacks name, version (a whole number) or prompt; export each version whole, not the list of names",
                where="file",
            )
        found.setdefault(name, []).append((version, _langfuse(one, f"version {version}", role)))
    if not found:
        raise Invalid("the file holds no prompts; export their versions", where="file")
    for name, listed in found.items():
        numbers = [number for number, _ in listed]
        if len(set(numbers)) != len(numbers):
            raise Invalid(f"{name} has a version twice; leave one of them", where="file")
    return {
        name: [past for _, past in sorted(listed, key=lambda it: it[0])] for name, listed in found.items()
    }


def _values(text: str) -> list[tuple[str, Any]]:
    try:
        whole = json.loads(text)
    except ValueError:
        found = []
        for number, line in enumerate(text.split("\n"), 1):
            try:
                if line.strip():
                    found.append((f"line {number}", json.loads(line)))
            except ValueError as error:
                raise Invalid(
                    f"line {number} is no JSON ({error}); give JSON or JSON lines", where="file"
                ) from None
        return found
    if isinstance(whole, Mapping) and isinstance(whole.get("data"), list):
        whole = whole["data"]
    listed = whole if isinstance(whole, list) else [whole]
    return [(f"entry {number}", one) for number, one in enumerate(listed, 1)]


def _langfuse(one: Mapping[str, Any], place: str, role: str) -> Past:
    by, said, date = one.get("createdBy"), one.get("commitMessage"), one.get("createdAt")
    past = Past(place, author=by if isinstance(by, str) and by else None)
    past.rationale = said if isinstance(said, str) else ""
    if isinstance(date, str) and dated(date):
        past.date = date
    elif date:
        past.notes.append("createdAt is no date with a zone and is left out")
    past.notes += [f"{name} is not taken over" for name in ("config", "labels", "tags") if one.get(name)]
    prompt = one["prompt"]
    if isinstance(prompt, str):
        past.messages = [{"role": role, "content": prompt}]
    elif isinstance(prompt, list) and prompt:
        for message in prompt:
            if not isinstance(message, dict) or message.get("type") == "placeholder":
                past.refused = "a placeholder for messages has no meaning here; let the application add them"
            elif "role" not in message or "content" not in message:
                past.refused = "a message has a role and content"
            else:
                past.messages.append({key: value for key, value in message.items() if key != "type"})
    else:
        past.refused = "the prompt is neither a text nor messages"
    if "@@@langfusePrompt:" in json.dumps(prompt):
        past.refused = "it includes another prompt; write that one's text in its place"
    return past.shortened()
