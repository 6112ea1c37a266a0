"""Verbs of files in a repository: what applying them would do, and doing it. What routes serve only changes decide."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass

from holdfast.changes import store
from holdfast.changes.actions import proposing, routing
from holdfast.changes.actions.proposing import Proposal
from holdfast.changes.model import ENDED, Change, ChangeClass, State
from holdfast.changes.rules import classes, release_files
from holdfast.changes.rules.classes import Classed
from holdfast.changes.rules.release_files import RouteFile
from holdfast.evals.rules.located import Fault
from holdfast.gateway import actions as gateway
from holdfast.gateway.actions import Written
from holdfast.gateway.reads import applied as configured
from holdfast.gateway.reads import traffic
from holdfast.kernel.context import Context
from holdfast.kernel.errors import Conflict, HoldfastError, Invalid
from holdfast.registry import actions as registry
from holdfast.registry import reads as registered
from holdfast.registry.model import Difference, Kind
from holdfast.storage.sql import Transaction

MAX_BYTES = 8 << 20
_OPEN = frozenset(State) - ENDED


@dataclass(frozen=True, slots=True)
class Naming:
    """A version that a named component gets: of this kind and name, with this number."""

    kind: Kind
    name: str
    number: int


@dataclass(frozen=True, slots=True)
class Planned:
    """What files mean for a route. `difference` and `classed` are None where it serves that already.

    `proposed`: the open change that proposes exactly this; `edits`: the draft from files that is written anew; `conflicts`:
    other open changes of the route. `decided_by`: the change by which it serves what it does, empty where none did.
    """

    file: RouteFile
    baseline: str
    candidate: str
    difference: Difference | None
    classed: Classed | None
    change_class: ChangeClass | None
    versions: tuple[Naming, ...]
    proposed: str
    edits: str
    conflicts: tuple[Change, ...]
    decided_by: str
    decided_source: str
    written: Written


@dataclass(frozen=True, slots=True)
class Plan:
    """What applying would do; `unfiled` are routes that no file speaks of. `digest` names exactly this plan."""

    routes: tuple[Planned, ...]
    unfiled: tuple[str, ...]
    digest: str

    @property
    def differs(self) -> bool:
        """Whether what is served and named is not what the files say."""
        return any(one.difference is not None or one.versions for one in self.routes)


def plan(ctx: Context, tx: Transaction, files: Mapping[str, bytes]) -> Plan:
    """What applying these files (path → text) would do; nothing is changed.

    Raises Invalid with every fault, each with its file and line.
    """
    if sum(map(len, files.values())) > MAX_BYTES:
        raise Invalid(
            f"these files have more than {MAX_BYTES >> 20} MiB together; apply fewer", where="files"
        )
    read = release_files.read(files)
    faults = list(read.faults)
    made = []
    named: dict[tuple[Kind, str], tuple[str, RouteFile]] = {}
    for one in read.routes:
        try:
            planned = _planned(ctx, tx, one)
        except HoldfastError as error:
            told = error.errors or ((error.where or "", error.detail),)
            faults += [_fault(one, where, what) for where, what in told]
            continue
        made.append(planned)
        for kind, name in one.names.items():
            digest = registered.component_hash(kind, planned.written.components[kind])
            other = named.setdefault((kind, name), (digest, one))
            if other[0] != digest:
                said = f"{other[1].place.file} says otherwise what {name} is; give one of them another name"
                faults.append(one.place.of(one.written, "names").fault(said))
    if faults:
        raise Invalid(
            "; ".join(f"{one.at}: {one.what}" for one in faults),
            where="files",
            errors=tuple((one.at, one.what) for one in faults),
        )
    version = configured.current(ctx, tx)
    filed = {one.file.route for one in made}
    unfiled = sorted(set(version.configuration.routes if version else ()) - filed)
    return Plan(tuple(made), tuple(unfiled), _digest(made))


def apply(
    ctx: Context, tx: Transaction, files: Mapping[str, bytes], *, digest: str = "", beside: bool = False
) -> tuple[Plan, tuple[Change, ...]]:
    """Adds the named versions and proposes a change for each route that differs: all of it or nothing.

    `digest`: of the plan that was looked at. `beside`: also where another change of the route is open; they go one after the
    other. Raises Invalid as `plan` does, and Conflict where the plan is another by now or a route has another open change.
    """
    found = plan(ctx, tx, files)
    if digest and digest != found.digest:
        raise Conflict("something changed since this plan was made; make it again and look at it")
    blocked = [one for one in found.routes if one.difference and one.conflicts and not one.proposed]
    if blocked and not beside:
        said = "; ".join(
            f"the route {one.file.route} has the open change {', '.join(other.id for other in one.conflicts)}"
            for one in blocked
        )
        raise Conflict(f"{said}: withdraw it, wait for its end, or apply with beside, and they go one by one")
    changes = []
    for one in found.routes:
        for version in one.versions:
            registry.add_version(
                ctx,
                tx,
                kind=version.kind,
                name=version.name,
                body=one.written.components[version.kind],
                rationale=one.file.rationale,
                ticket=one.file.ticket,
            )
        if one.difference is None or one.proposed:
            continue
        wanted = Proposal(
            route=one.file.route,
            title=one.file.title,
            release=one.file.release,
            rationale=one.file.rationale,
            ticket=one.file.ticket,
            declared=one.file.declared,
            class_because=one.file.class_because,
            source="file",
        )
        if one.edits:
            changes.append(proposing.edit(ctx, tx, one.edits, wanted))
        else:
            changes.append(proposing.propose(ctx, tx, wanted))
    return found, tuple(changes)


def _planned(ctx: Context, tx: Transaction, one: RouteFile) -> Planned:
    baseline = routing.stable(ctx, tx, one.route)
    written = gateway.read_release(ctx, tx, one.release, baseline)
    open_ones = store.listed(tx, ctx.workspace, states=_OPEN, route=one.route)
    proposed = next((it.id for it in open_ones if (it.candidate, it.baseline) == (written.id, baseline)), "")
    drafts = [it.id for it in open_ones if it.state is State.DRAFT and it.source == "file"]
    edits = drafts[0] if drafts and not proposed else ""
    difference = classed = chosen = None
    if written.id != baseline:
        difference = _difference(ctx, tx, baseline, written)
        classed = classes.classify(difference, proposing.ranges(proposing.policy_in_force(ctx, tx)))
        chosen = classes.in_force(classed.change_class, one.declared, one.class_because)
    decided = traffic.governed(ctx, tx).get(one.route)
    by = store.get(tx, ctx.workspace, decided.change) if decided else None
    return Planned(
        one,
        baseline,
        written.id,
        difference,
        classed,
        chosen,
        tuple(_namings(ctx, tx, one, written)),
        proposed,
        edits,
        tuple(it for it in open_ones if it.id not in (proposed, edits)),
        by.id if by else "",
        by.source if by else "",
        written,
    )


def _difference(ctx: Context, tx: Transaction, baseline: str, written: Written) -> Difference:
    if not baseline:
        return registered.difference_of(None, {}, written.body, written.components)
    before, parts = registered.release(ctx, tx, baseline)
    old = {part.kind: part.body for part in parts}
    return registered.difference_of(before.body, old, written.body, written.components)


def _namings(ctx: Context, tx: Transaction, one: RouteFile, written: Written) -> list[Naming]:
    found = []
    for kind, name in one.names.items():
        if kind not in written.components:
            raise Invalid(f"this release has no {kind}, so it has no name", where=f"names.{kind}")
        latest = registered.latest_version(ctx, tx, kind, name)
        if latest is None or latest.hash != registered.component_hash(kind, written.components[kind]):
            found.append(Naming(kind, name, latest.number + 1 if latest else 1))
    return found


def _fault(one: RouteFile, where: str, what: str) -> Fault:
    outer = {"route": "route", "lowered_because": "class", "name": "names"}.get(where) or (
        "names" if where.startswith("names.") else ""
    )
    if outer:
        return one.place.of(one.written, outer).fault(what)
    return one.fault(where, what)


def _digest(planned: list[Planned]) -> str:
    said = [
        [
            one.file.route,
            one.baseline,
            one.candidate,
            [[it.kind, it.name, it.number] for it in one.versions],
            one.proposed,
            one.edits,
            [it.id for it in one.conflicts],
            str(one.change_class),
            one.file.title,
            one.file.rationale,
            one.file.ticket,
        ]
        for one in planned
    ]
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()
