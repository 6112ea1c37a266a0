"""What feedback keeps of a person is erased with them, and what is said in words expires as the data policy says."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from holdfast.feedback.rules.fitting import pseudonym
from holdfast.feedback.store import items as store
from holdfast.kernel.context import Context
from holdfast.platform.secrets.reads import sealing_key
from holdfast.platform.settings import Settings
from holdfast.platform.tenancy import reads as tenancy
from holdfast.platform.tenancy.model import DataPolicy
from holdfast.storage.sql import Transaction
from holdfast.telemetry.actions import Erased
from holdfast.telemetry.reads import governance


class ErasePerson:
    """Erases a person from feedback: the words of what is on their traces and sessions or by them; mentions elsewhere."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def __call__(self, ctx: Context, tx: Transaction, of: Erased) -> Mapping[str, int]:
        """How many items changed. Figures stay."""
        key = sealing_key(self._settings).key + ctx.workspace.encode()
        authors = [of.subject, pseudonym(of.subject, key) or of.subject]
        theirs = store.about(tx, ctx.workspace, of.traces, of.sessions, authors)
        for id in theirs:
            store.erase(tx, ctx.workspace, id)
        mentions = 0
        if of.scrub is not None:
            for item in list(store.worded(tx, ctx.workspace)):
                said = {name: getattr(item, name) for name in ("comment", "correction", "used", "label")}
                left = {name: None if text is None else of.scrub(text) for name, text in said.items()}
                if left != said:
                    store.put_words(tx, ctx.workspace, item.id, left)
                    mentions += 1
        return {"feedback": len(theirs) + mentions}


def expire(ctx: Context, tx: Transaction) -> int:
    """Takes away words that are older than content may be, a batch at a time; how many items. While any legal hold is in
    force nothing expires: who it covers may have said it."""
    if any(one.released_at is None for one in governance.holds(ctx, tx)):
        return 0
    policies = tenancy.policies(tx, ctx.workspace)
    whole = policies.get("", DataPolicy(ctx.workspace))
    systems = {one.slug: policies.get(one.slug, whole) for one in tenancy.systems(tx, ctx.workspace)}
    by_days: dict[int, list[str | None]] = {whole.content_days: [None]}
    for slug, policy in systems.items():
        by_days.setdefault(policy.content_days, []).append(slug)
    return sum(
        store.expire_words(tx, ctx.workspace, slugs, ctx.now - timedelta(days=days))
        for days, slugs in by_days.items()
    )
