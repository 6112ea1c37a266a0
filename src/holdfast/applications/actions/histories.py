"""Histories of prompts from elsewhere: each of their versions becomes one here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from holdfast.gateway.reads import written
from holdfast.kernel.context import Context
from holdfast.registry import actions as registry
from holdfast.registry import reads
from holdfast.registry.model import Kind, Past
from holdfast.storage.sql import Transaction


@dataclass(frozen=True, slots=True)
class Entry:
    """A version as it was elsewhere; author and date are None where they are not known."""

    messages: Sequence[dict[str, Any]]
    author: str | None
    date: datetime | None
    rationale: str
    ticket: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What becomes of a version: added, kept (imported before), same (as the one before it) or refused, and why."""

    what: str
    number: int | None = None
    why: tuple[str, ...] = ()


def add(
    ctx: Context, tx: Transaction, name: str, source: str, entries: Sequence[Entry], *, dry: bool
) -> list[Outcome]:
    """Adds what is not here yet, in the given order, the oldest first; `dry`: tells what it would add. Raises Invalid,
    Conflict.
    """
    taken: list[Past] = []
    refused: dict[int, tuple[str, ...]] = {}
    for index, one in enumerate(entries):
        body, faults = written.prompt(one.messages)
        why = (*faults, *reads.past_faults(body, one.author, one.rationale, one.ticket))
        if why:
            refused[index] = why
        else:
            taken.append(Past(body, one.author, one.date, one.rationale, one.ticket))
    found = iter(
        registry.add_history(
            ctx, tx, kind=Kind.PROMPT, name=name, source=source, past=taken, refused=len(refused), dry=dry
        )
    )
    return [
        Outcome("refused", None, refused[index]) if index in refused else Outcome(*next(found))
        for index in range(len(entries))
    ]
