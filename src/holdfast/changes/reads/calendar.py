"""Change windows and freezes of the days to come."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from holdfast.changes import store
from holdfast.changes.model import Freeze
from holdfast.changes.rules import policy as policies
from holdfast.changes.rules import windows_written
from holdfast.changes.rules.calendar import Day, days
from holdfast.changes.rules.windows import Windows, is_open, next_closing, next_opening
from holdfast.kernel.context import Context
from holdfast.storage.sql import Transaction


@dataclass(frozen=True, slots=True)
class Calendar:
    """How the windows stand now and on the days to come. `turns` is when that changes next; None: not within a year."""

    windows: Windows
    is_open: bool
    turns: datetime | None
    days: tuple[Day, ...]
    freezes: tuple[Freeze, ...]


def windows(ctx: Context, tx: Transaction) -> Windows:
    """The workspace's change windows; always open where none are written."""
    found = store.policy(tx, ctx.workspace)
    written = policies.parse(found.document).windows if found else {}
    return windows_written.parse(written) if written else Windows()


def calendar(ctx: Context, tx: Transaction) -> Calendar:
    """Of the workspace."""
    dates = windows(ctx, tx)
    freezes = store.freezes_of(tx, ctx.workspace, ctx.now)
    opened = is_open(dates, ctx.now)
    turns = (next_closing if opened else next_opening)(dates, ctx.now)
    return Calendar(dates, opened, turns, days(dates, freezes, ctx.now), tuple(freezes))
