"""Verbs of telemetry that leave a mark in the audit log."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from holdfast.kernel.context import Context
from holdfast.kernel.errors import Conflict, Invalid, NotFound
from holdfast.kernel.ids import new_id
from holdfast.kernel.time import iso
from holdfast.platform.access.model import Caller, Scope
from holdfast.platform.audit import actions as audit
from holdfast.storage.sql import Transaction
from holdfast.telemetry.rules import panels
from holdfast.telemetry.rules.erasing import ERASED, Subject
from holdfast.telemetry.rules.holds import Hold
from holdfast.telemetry.rules.panels import Dashboard, Panel
from holdfast.telemetry.store import control, dashboards, past
from holdfast.telemetry.store.control import Erasure, SavedView
from holdfast.telemetry.store.past import PastJob, PastKind


def open_content(ctx: Context, tx: Transaction, trace_id: str) -> None:
    """Records that captured content of a trace was opened, and by whom."""
    audit.record(ctx, tx, action="content.opened", subject=f"trace:{trace_id}")


def export_calls(ctx: Context, tx: Transaction, format_name: str) -> None:
    """Records that calls were exported."""
    audit.record(ctx, tx, action="calls.exported", subject="calls", details={"format": format_name})


def save_view(by: Caller, tx: Transaction, page: str, name: str, query: str) -> None:
    """Keeps a page's query under a name, in place of an earlier one of that name.

    Raises Invalid, and Conflict where the earlier one is another's that the caller may not see.
    """
    ctx = by.ctx
    if not name.strip() or len(name) > 80:
        raise Invalid("a view needs a name of at most 80 characters", where="name")
    if len(query) > 4000:
        raise Invalid("this query is too long to be kept", where="query")
    view = SavedView(new_id("view"), ctx.workspace, page, name.strip(), query, ctx.actor.id, ctx.now)
    if not by.reach[Scope.READ].everywhere and any(
        one.name == view.name and one.created_by != ctx.actor.id
        for one in control.views_of(tx, ctx.workspace, page)
    ):
        raise Conflict("somebody else has a view of this name; choose another", where="name")
    control.put_view(tx, view)
    audit.record(
        ctx, tx, action="view.saved", subject=f"view:{page}", details={"name": view.name, "query": query}
    )


def delete_view(by: Caller, tx: Transaction, view: str) -> None:
    """Forgets a saved view; one's own, for who may not read the whole workspace. Raises NotFound."""
    owner = None if by.reach[Scope.READ].everywhere else by.ctx.actor.id
    if not control.delete_view(tx, by.ctx.workspace, view, owner):
        raise NotFound("there is no such saved view")
    audit.record(by.ctx, tx, action="view.deleted", subject=view)


def save_dashboard(by: Caller, tx: Transaction, slug: str, name: str, made: tuple[Panel, ...]) -> Dashboard:
    """Keeps a dashboard, in place of an earlier one of its slug. The panels were checked.

    Raises Invalid, and Conflict where the earlier one is another's that the caller may not see.
    """
    ctx = by.ctx
    if len(made) > panels.MOST_PANELS:
        raise Invalid(f"a dashboard holds at most {panels.MOST_PANELS} panels", where="panels")
    if len({one.id for one in made}) < len(made):
        raise Invalid("two panels have the same id", where="panels")
    earlier = dashboards.one(tx, ctx.workspace, panels.check_slug(slug))
    if earlier is not None and not _may_change(by, earlier):
        raise Conflict("somebody else has a dashboard of this name; choose another", where="name")
    saved = Dashboard(ctx.workspace, slug, panels.name_of(name), made, ctx.actor.id, ctx.now)
    dashboards.put(tx, saved)
    audit.record(
        ctx,
        tx,
        action="dashboard.saved",
        subject=f"dashboard:{slug}",
        details={"name": saved.name, "panels": [panels.plain(one) for one in made]},
    )
    return saved


def add_dashboard(by: Caller, tx: Transaction, name: str, made: tuple[Panel, ...]) -> Dashboard:
    """Keeps a new dashboard under a name. Raises Invalid."""
    taken = {one.slug for one in dashboards.all_of(tx, by.ctx.workspace)}
    return save_dashboard(by, tx, panels.slug_of(panels.name_of(name), taken), name, made)


def delete_dashboard(by: Caller, tx: Transaction, slug: str) -> None:
    """Forgets a dashboard; one's own, for who may not read the whole workspace. Raises NotFound."""
    found = dashboards.one(tx, by.ctx.workspace, slug)
    if found is None or not _may_change(by, found):
        raise NotFound("there is no such dashboard")
    dashboards.delete(tx, by.ctx.workspace, slug)
    audit.record(by.ctx, tx, action="dashboard.deleted", subject=f"dashboard:{slug}")


def _may_change(by: Caller, dashboard: Dashboard) -> bool:
    reach = by.reach.get(Scope.READ)
    return (reach is not None and reach.everywhere) or dashboard.changed_by == by.ctx.actor.id


def _strip_dashboards(tx: Transaction, workspace: str, texts: tuple[str, ...]) -> int:
    """Takes away what names one of these texts; returns how many panels went."""
    gone = 0
    for found in dashboards.all_of(tx, workspace):
        one = found
        left = panels.without(one.panels, texts)
        named = any(text.lower() in one.name.lower() for text in texts)
        gone += len(one.panels) - len(left)
        if named:
            dashboards.delete(tx, workspace, one.slug)  # its name in addresses names them too
            one = replace(one, slug=new_id("dashboard").replace("_", "-"), name=ERASED)
        if named or len(left) < len(one.panels):
            dashboards.put(tx, replace(one, panels=left))
    return gone


def flip_demo(ctx: Context, tx: Transaction, fault: str, state: str) -> None:
    """Records that somebody broke or mended the demo on purpose."""
    audit.record(ctx, tx, action=f"demo.{state}", subject=f"demo:{fault}")


def export(ctx: Context, tx: Transaction, what: str, format_name: str, *, content: bool) -> None:
    """Records that all rows of a kind were exported, and whether captured content went with them."""
    audit.record(
        ctx, tx, action=f"{what}.exported", subject=what, details={"format": format_name, "content": content}
    )


def import_calls(
    ctx: Context,
    tx: Transaction,
    source: str,
    files: Sequence[str],
    counts: Mapping[str, int],
    *,
    complete: bool,
) -> None:
    """Records that history was imported: from what, which files, how many records became what."""
    told = {"files": list(files)[:100], "counts": dict(counts), "complete": complete}
    audit.record(ctx, tx, action="calls.imported", subject=f"import:{source}", details=told)


def place_hold(
    ctx: Context, tx: Transaction, reason: str, system: str, user: str, from_at: datetime, to_at: datetime
) -> Hold:
    """Puts records under a legal hold: neither retention nor erasure touches them. Empty system or user: all.

    Stored records are marked within the minute. Raises Invalid.
    """
    if not reason.strip() or len(reason) > 2000:
        raise Invalid("a hold needs a reason of at most 2000 characters", where="reason")
    if len(system) > 200 or len(user) > 400:
        raise Invalid("a system has at most 200 characters, a user 400", where="system")
    if not from_at < to_at:
        raise Invalid("a hold ends after it begins", where="to")
    hold = Hold(new_id("hold"), ctx.workspace, reason.strip(), system, user, from_at, to_at, ctx.now)
    control.add_hold(tx, hold)
    details = {"reason": hold.reason, "system": system, "from": iso(from_at), "to": iso(to_at)}
    audit.record(
        ctx, tx, action="hold.placed", subject=hold.id, details={**details, "of_one_user": bool(user)}
    )
    return hold


def release_hold(ctx: Context, tx: Transaction, hold: str) -> Hold:
    """Ends a hold; what no other hold covers expires by the data policy again. Raises NotFound, Conflict."""
    found = next((one for one in control.holds_of(tx, ctx.workspace, active=False) if one.id == hold), None)
    if found is None:
        raise NotFound("there is no such hold")
    if not control.release(tx, ctx.workspace, hold, ctx.now):
        raise Conflict("this hold is released already")
    audit.record(ctx, tx, action="hold.released", subject=hold, details={"reason": found.reason})
    return replace(found, released_at=ctx.now)


def begin_erasure(ctx: Context, tx: Transaction, erasure: Erasure) -> None:
    """Records that a person is being erased, who is named by a salted hash alone."""
    control.put_erasure(tx, erasure)
    audit.record(
        ctx, tx, action="person.erasing", subject=erasure.id, details={"person": erasure.subject_hash}
    )


@dataclass(frozen=True, slots=True)
class Erased:
    """A person who is being erased, for rooms that keep something of people: the id or address, every trace and session in
    which they are the user, and what takes a mention of them out of a text (None: too short a name to be sought in text).
    """

    subject: str
    traces: frozenset[str]
    sessions: frozenset[str]
    scrub: Callable[[str], str] | None


Eraser = Callable[[Context, Transaction, Erased], Mapping[str, int]]
"""Erases a person from what a room keeps; how many records of each kind changed."""


def finish_erasure(
    ctx: Context,
    tx: Transaction,
    erasure: Erasure,
    subject: Subject,
    of: Erased,
    erasers: Sequence[Eraser] = (),
) -> Erasure:
    """Erases the person from the control store, and records what was erased everywhere, by counts."""
    others = {name: count for eraser in erasers for name, count in eraser(ctx, tx, of).items()}
    views = control.delete_views_naming(tx, ctx.workspace, _texts(subject)) if subject.telling else 0
    stripped = _strip_dashboards(tx, ctx.workspace, _texts(subject)) if subject.telling else 0
    control.blank_holds_of(tx, ctx.workspace, subject.text, ERASED)
    entries = set(audit.erase_about(ctx, tx, subject.text))
    if subject.telling:
        entries |= set(audit.erase_mentions(ctx, tx, _texts(subject)))
    counts = {
        **erasure.counts,
        **others,
        "saved_views": views,
        "dashboard_panels": stripped,
        "audit_entries": len(entries),
    }
    done = replace(erasure, done_at=ctx.now, counts=counts)
    control.put_erasure(tx, done)
    details = {"person": done.subject_hash, "counts": counts}
    audit.record(ctx, tx, action="person.erased", subject=done.id, details=details)
    return done


def _texts(subject: Subject) -> tuple[str, ...]:
    lowered = (form.lower() for form in subject.forms)
    return tuple(dict.fromkeys((*subject.forms, *lowered)))


_ASKED = {PastKind.PRICE: "calls.repricing", PastKind.COUNT: "calls.recount"}
_DONE = {PastKind.PRICE: "calls.repriced", PastKind.COUNT: "calls.recounted"}


def begin_past(
    ctx: Context,
    tx: Transaction,
    kind: PastKind,
    within: tuple[datetime, datetime],
    system: str,
    total: int,
) -> PastJob:
    """Asks for the calls of a window, of one system or (empty) all, to be priced or to be counted anew.

    Priced: each as of its own time, by the price book and the list prices of today. Counted: from the stored spans, by
    the conventions and rules of today. `total` is how much there is to do. Raises Invalid, and Conflict while another
    job over past calls is under way in the workspace.
    """
    from_at, to_at = within
    if not from_at < to_at:
        raise Invalid("the window ends before it begins", where="to")
    if len(system) > 512:
        raise Invalid("a system has at most 512 characters", where="system")
    if past.unfinished(tx, ctx.workspace) is not None:
        raise Conflict("past calls of this workspace are being worked on already; wait until that is done")
    job = PastJob(
        new_id("past"), ctx.workspace, kind, system, from_at, to_at, ctx.now, ctx.actor.name[:200], total
    )
    past.put(tx, job)
    unit = "calls" if kind is PastKind.PRICE else "traces"
    details = {"from": iso(from_at), "to": iso(to_at), "system": system, unit: total}
    audit.record(ctx, tx, action=_ASKED[kind], subject=job.id, details=details)
    return job


def finish_past(ctx: Context, tx: Transaction, job: PastJob) -> PastJob:
    """Records that the calls of a window were priced or counted anew: how many, and what came of it."""
    done = replace(job, finished_at=ctx.now, pending="")
    past.put(tx, done)
    told = past.shown(done)
    details = {
        name: told[name] for name in told if name not in ("id", "requested_at", "requested_by", "finished_at")
    }
    audit.record(ctx, tx, action=_DONE[job.kind], subject=job.id, details=details)
    return done
