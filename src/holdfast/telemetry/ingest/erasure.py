"""Erasing a person: through the call store while ingest pauses, through the control store, and out of memory."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import msgspec

from holdfast.kernel.context import Context
from holdfast.kernel.errors import Conflict, Invalid
from holdfast.kernel.ids import new_id
from holdfast.storage.columns import Columns
from holdfast.storage.sql import Database
from holdfast.telemetry import actions
from holdfast.telemetry.ingest.service import Ingest
from holdfast.telemetry.rules.erasing import ERASED, Subject, scrubbed, stripped
from holdfast.telemetry.store import control, erasing, retention
from holdfast.telemetry.store.control import Erasure
from holdfast.telemetry.store.spans import milliseconds

_JSON = ("attributes", "resource", "events", "links", "parameters", "told")
_PLAIN = (
    "status_message", "name", "tenant", "route", "agent", "feature", "explanation", "label", "tool", "data_source"
)  # fmt: skip
_KEPT_STATES = ("none", "off", "unsampled", "withheld")


def erase_person(
    ctx: Context,
    database: Database,
    columns: Columns,
    ingest: Ingest,
    text: str,
    erasers: Sequence[actions.Eraser] = (),
) -> Erasure:
    """Erases a person, by user id or e-mail address, from all that the workspace keeps; counts and costs stay.

    Theirs is every trace and session in which they are the user. Where others' records mention them (by an e-mail
    address, or an id of 8 characters or more), the mention is replaced. `erasers` do so in rooms above. The engine
    removes the old parts from disk within a minute. Raises Invalid for an empty name, Conflict where a legal hold
    covers any of it: then nothing is changed. After a crash midway the same call makes it complete.
    """
    subject = Subject(text.strip())
    if not subject.text or len(subject.text) > 400:
        raise Invalid(
            "say whom to erase: a user id or e-mail address of at most 400 characters", where="subject"
        )
    erasure = Erasure(new_id("era"), ctx.workspace, subject.hashed(secrets.token_hex(8)), ctx.now, None, {})
    with ingest.paused():
        traces, sessions = erasing.traces_of(columns, ctx.workspace, subject)
        chosen = {
            told: erasing.keys_of(columns, ctx.workspace, told, subject, traces) for told in erasing.ALL
        }
        for told in (erasing.SPANS, erasing.CALLS, erasing.OPERATIONS):
            chosen[told] = sorted({*chosen[told], *traces})
        _refuse_held(ctx, database, columns, chosen)
        with database.transaction() as tx:
            actions.begin_erasure(ctx, tx, erasure)
        counts = _rewrite(ctx, columns, ingest, subject, traces, sessions, chosen)
        ingest.counter.forget(ctx.workspace, chosen[erasing.SPANS])
    with database.transaction() as tx:
        scrub = partial(subject.pattern.sub, ERASED) if subject.telling else None
        of = actions.Erased(subject.text, frozenset(traces), frozenset(sessions), scrub)
        done = actions.finish_erasure(ctx, tx, replace(erasure, counts=counts), subject, of, erasers)
    database.settle()
    return done


def _refuse_held(
    ctx: Context, database: Database, columns: Columns, chosen: Mapping[erasing.Rewritten, Sequence[str]]
) -> None:
    with database.reading() as tx:
        holds = control.holds_of(tx, ctx.workspace, active=True)
    for hold in holds:
        if hold.user:  # a hold that was placed a moment ago
            retention.note_held(columns, ctx.workspace, hold)
    found = erasing.holding(columns, ctx.workspace, holds, list(chosen.items()))
    if found is not None:
        raise Conflict(
            f"the legal hold {found.id} covers records of this person ({found.reason}): nothing was erased;"
            " release the hold first, or wait until it is released"
        )


def _rewrite(
    ctx: Context,
    columns: Columns,
    ingest: Ingest,
    subject: Subject,
    traces: Sequence[str],
    sessions: Sequence[str],
    chosen: Mapping[erasing.Rewritten, Sequence[str]],
) -> dict[str, int]:
    theirs = frozenset(traces)
    names = frozenset(one.casefold() for one in (subject.text, *sessions))
    pattern = subject.pattern if subject.telling else None

    def change(row: dict[str, Any]) -> dict[str, Any]:
        own = row.get("trace_id") in theirs or str(row.get("user", "")).casefold() == subject.text.casefold()
        made = {name: _changed(name, value, own, names, pattern) for name, value in row.items()}
        if own and "content_state" in made and made["content_state"] not in _KEPT_STATES:
            made["content_state"] = "erased"
        return made

    sequence = ingest.committer.claim()
    return {
        told.table: erasing.rewrite(
            columns, ctx.workspace, told, keys, sequence, milliseconds(ctx.now), change
        )
        for told, keys in chosen.items()
        if keys
    }


def _changed(name: str, value: Any, own: bool, names: frozenset[str], pattern: Any) -> Any:
    if not isinstance(value, str) or not value:
        return value
    if own and name in ("user", "session", "content", "explanation"):
        return ""
    if name in _JSON:
        read = msgspec.json.decode(value)
        made = stripped(read, names, pattern) if own else scrubbed(read, pattern)
        return value if made == read else msgspec.json.encode(made).decode()
    if name == "content":
        return (
            msgspec.json.encode(scrubbed(msgspec.json.decode(value), pattern)).decode() if pattern else value
        )
    return scrubbed(value, pattern) if name in (*_PLAIN, "user", "session") else value
