"""A change in a workspace, marked in all that it says, with a review, a policy and a freeze."""

from __future__ import annotations

from dataclasses import replace

from tests.changes.made import change

from holdfast.changes import store
from holdfast.changes.actions import governing
from holdfast.changes.actions.keeping import told
from holdfast.changes.model import Decision, GateRun, Person, Review, State, Verdict
from holdfast.kernel.context import Context
from holdfast.kernel.ids import new_id
from holdfast.registry import actions as registry
from holdfast.registry.model import Document, Kind, Past
from holdfast.storage.sql import Transaction


def change_of(ctx: Context, tx: Transaction, mark: str) -> dict[str, str]:
    """The ids of the change and of the freeze."""
    author = Person(f"mem-{mark}", f"author {mark}", frozenset({"operator"}))
    made = replace(
        change(State.DRAFT),
        id=new_id("chg"),
        workspace=ctx.workspace,
        system=f"shop-{mark}",
        route=f"route-{mark}",
        baseline=f"rel_{mark}",
        candidate=f"rel_new_{mark}",
        title=f"title {mark}",
        rationale=f"rationale {mark}",
        ticket=f"ticket {mark}",
        author=author,
        editors=(author.id,),
        reasons=({"class": "moderate", "where": f"prompt/{mark}", "what": f"words of {mark}"},),
        reason=f"reason {mark}",
        created_at=ctx.now,
        updated_at=ctx.now,
    )
    store.add(tx, made)
    review = Review(
        new_id("rev"), made.id, ctx.workspace, author, Decision.APPROVED, made.content, mark, ctx.now
    )
    store.add_review(tx, review)
    suite = GateRun(
        made.id, ctx.workspace, f"suite {mark}", made.content, "", "", Verdict.PENDING, (f"why {mark}",)
    )
    store.put_gate(tx, suite)
    governing.put_policy(ctx, tx, {}, note=f"policy {mark}")
    frozen = governing.freeze(ctx, tx, reason=f"frozen by {mark}", systems=[f"shop-{mark}"])
    told(ctx, tx, State.DRAFT, made, "proposed", {"person": author.id, "mark": mark})
    body = {"chain": [{"upstream": f"upstream-{mark}"}]}
    release = registry.register(ctx, tx, body={}, components={Kind.MODEL: body}, rationale=f"why {mark}")
    registry.add_version(ctx, tx, kind=Kind.MODEL, name=f"named-{mark}", body=body, ticket=f"ticket {mark}")
    past = [Past({"messages": []}, f"author {mark}", None, f"why {mark}", f"commit {mark}")]
    registry.add_history(ctx, tx, kind=Kind.PROMPT, name=f"past-{mark}", source=mark, past=past)
    manifest = registry.add_manifest(ctx, tx, name=f"kb-{mark}", documents=[Document(f"doc-{mark}", mark)])
    return {
        "change": made.id,
        "frozen": frozen.id,
        "component": release.components[Kind.MODEL],
        "registered": release.id,
        "manifest": manifest.id,
    }
