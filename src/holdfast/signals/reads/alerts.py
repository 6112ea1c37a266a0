"""Alerts and rules, as far as a caller's permission reaches."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from holdfast.kernel.errors import Invalid, NotFound
from holdfast.kernel.page import Page, decode_cursor, encode_cursor
from holdfast.kernel.time import iso
from holdfast.platform.access.model import Caller, Reach
from holdfast.platform.access.model import Scope as Permission
from holdfast.signals import rules, store
from holdfast.signals.model import Alert, Figures, Memory, Reading, Rule
from holdfast.storage.sql import Transaction

MOST = 200


@dataclass(frozen=True, slots=True)
class Watched:
    """A rule and what it remembers."""

    rule: Rule
    memory: Memory


def alerts(
    by: Caller, tx: Transaction, *, is_open: bool | None, limit: int = 50, cursor: str | None = None
) -> Page[Alert]:
    """The latest alerts that the caller may see. Raises Invalid on a bad limit or cursor."""
    if not 1 <= limit <= MOST:
        raise Invalid(f"a page holds 1 to {MOST} alerts", where="limit")
    after = None
    if cursor:
        at, last = decode_cursor(cursor, (str, str))
        try:
            after = (datetime.fromisoformat(str(at)), str(last))
        except ValueError as error:
            raise Invalid("this cursor was not given out here", where="cursor") from error
        if after[0].tzinfo is None:
            raise Invalid("this cursor was not given out here", where="cursor")
    found = store.listed(
        tx, by.ctx.workspace, is_open=is_open, pairs=_reach(by).pairs, limit=limit + 1, after=after
    )
    more = len(found) > limit
    shown = found[:limit]
    return Page(shown, encode_cursor(iso(shown[-1].opened_at), shown[-1].id) if more else None)


def watched(by: Caller, tx: Transaction) -> list[Watched]:
    """The rules that the caller may see, by name."""
    found = [Watched(*one) for one in store.rules_of(tx, by.ctx.workspace)]
    return [one for one in found if _reach(by).covers(one.rule.scope.system, one.rule.scope.environment)]


def rule(by: Caller, tx: Transaction, rule_id: str) -> Watched:
    """Raises NotFound."""
    found = next((one for one in watched(by, tx) if one.rule.id == rule_id), None)
    if found is None:
        raise NotFound("there is no such rule in this workspace")
    return found


def long_watching() -> Memory:
    """The memory of a rule that has watched for ever and has seen calls: what a preview of a new one is read with."""
    return Memory(watching_since=datetime(1970, 1, 1, tzinfo=UTC), seen=True)


def preview(rule: Rule, memory: Memory, figures: Figures, zone: str, now: datetime) -> Reading:
    """What the rule reads now; nothing is kept. Raises Invalid, Unavailable."""
    rule = rules.check_rule(rule)
    window = figures.of(rule.workspace, rule.scope, rules.looks_at(rule, zone, now))
    return rules.read(rule, window, memory, now)


def condition(rule: Rule) -> str:
    """The rule's condition in words."""
    return rules.condition_of(rule)


def scope(rule: Rule) -> str:
    """The rule's scope in words."""
    return rules.scope_of(rule)


def _reach(by: Caller) -> Reach:
    return by.reach[Permission.READ]
