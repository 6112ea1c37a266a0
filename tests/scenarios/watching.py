"""What a workspace has to watch with: a channel, and a rule with an alert, all marked."""

from __future__ import annotations

from holdfast.kernel.context import Context
from holdfast.kernel.ids import new_id
from holdfast.platform.notify.actions import channels
from holdfast.platform.notify.model import ChannelConfig, ChannelKind, Severity
from holdfast.platform.secrets.reads import sealing_key
from holdfast.platform.settings import Settings
from holdfast.signals import actions, store
from holdfast.signals.model import Alert, Rule, RuleKind, Scope
from holdfast.storage.sql import Transaction


def channel_of(ctx: Context, tx: Transaction, settings: Settings, mark: str) -> tuple[str, str]:
    """The id of a webhook, and its secret."""
    config = ChannelConfig(url=f"http://127.0.0.1:9/{mark}")
    made, secret = channels.add_channel(
        ctx, tx, sealing_key(settings), name=f"channel {mark}", kind=ChannelKind.WEBHOOK, config=config
    )
    return made.id, secret


def alert_of(ctx: Context, tx: Transaction, system: str, mark: str) -> str:
    """The id of a rule that is off, so that nothing of it changes by itself; an alert that it once opened."""
    scope = Scope(system=system, route=f"route-{mark}")
    told = Rule(
        id="",
        workspace=ctx.workspace,
        name=f"rule {mark}",
        kind=RuleKind.NO_DATA,
        scope=scope,
        severity=Severity.INFO,
        channels=None,
        enabled=False,
        created_at=ctx.now,
        created_by="",
        changed_at=ctx.now,
    )
    rule = actions.add_rule(ctx, tx, told)
    alert = Alert(
        id=new_id("alert"),
        workspace=ctx.workspace,
        rule=rule.id,
        revision=1,
        part="",
        period="",
        system=system,
        environment="",
        title=f"alert of {mark}",
        severity=Severity.INFO,
        opened_at=ctx.now,
        value=mark,
        link="/",
    )
    store.add_alert(tx, alert)
    return rule.id
