"""Taking items in: checked, made fit to keep, kept. What has been acknowledged is on the disk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from holdfast.feedback.actions import items as actions
from holdfast.feedback.actions.items import Added
from holdfast.feedback.model import Item
from holdfast.feedback.rules import fitting, said
from holdfast.kernel.context import Context
from holdfast.platform.secrets import reads as secrets
from holdfast.platform.settings import Settings
from holdfast.platform.tenancy import reads as tenancy
from holdfast.platform.tenancy.model import DataPolicy
from holdfast.storage.sql import Database
from holdfast.telemetry.ingest.dlp import Dlp


@dataclass(slots=True)
class Taking:
    """Takes items into the inbox of a workspace. One for each process."""

    settings: Settings
    database: Database
    dlp: Dlp = field(init=False)

    def __post_init__(self) -> None:
        self.dlp = Dlp(self.settings)

    def take(
        self, ctx: Context, items: Sequence[Item], *, places: Sequence[str] = (), revise: bool = False
    ) -> list[Added]:
        """Keeps items, all or none. `places` name them in errors. Raises Invalid, Conflict."""
        names = places or [""] * len(items)
        faults = [
            (place, fault) for place, one in zip(names, items, strict=True) for fault in said.faults(one)
        ]
        if faults:
            raise said.refusal(faults)
        digests = {one.id: said.digest(one) for one in items}
        fit = self.fitted(ctx, items)
        with self.database.transaction() as tx:
            return actions.add(ctx, tx, fit, digests=digests, revise=revise)

    def fitted(self, ctx: Context, items: Sequence[Item]) -> list[Item]:
        """The items as the workspace's data policy lets them be kept; its own check may be asked."""
        with self.database.reading() as tx:
            policy = tenancy.policies(tx, ctx.workspace).get("") or DataPolicy(ctx.workspace)
        key = secrets.sealing_key(self.settings).key
        url = policy.dlp_webhook
        check = (lambda texts: self.dlp.redact(url, texts)) if url else None
        return fitting.fitted(items, policy, key + ctx.workspace.encode(), check)
