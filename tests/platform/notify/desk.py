"""A workspace with channels, and a courier that sends when told to."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from holdfast.kernel.context import Actor, Context
from holdfast.platform.notify import actions, reads, store
from holdfast.platform.notify.actions import channels as channel_actions
from holdfast.platform.notify.actions.outbox import Post
from holdfast.platform.notify.jobs import Courier
from holdfast.platform.notify.model import (
    Channel,
    ChannelConfig,
    ChannelKind,
    Delivery,
    Message,
    MessageKind,
    Receipt,
    Severity,
    Tls,
)
from holdfast.platform.notify.senders.shelf import senders
from holdfast.platform.secrets.reads import sealing_key
from holdfast.platform.settings import Settings
from holdfast.platform.tenancy import actions as tenancy
from holdfast.storage.sql import Database

CLI = Actor("cli", "tester", "Tester")
SIGNING = "whsec_" + "c2VjcmV0IG9mIHRoZSB0ZXN0cywgMzIgYnl0ZXMuLi4="


@dataclass
class Desk:
    """One workspace of a control store."""

    database: Database
    settings: Settings
    clock: Any
    slug: str = "acme"
    jitter: float = 0.0
    workspace: str = field(init=False)
    courier: Courier = field(init=False)

    def __post_init__(self) -> None:
        with self.database.transaction() as tx:
            self.workspace = tenancy.ensure_workspace(
                Context("instance", CLI, self.clock()), tx, self.slug
            ).id
        self.post = Post(self.database, self.settings, senders(self.settings), self.clock)
        self.courier = Courier(self.post, lambda: self.jitter)

    @property
    def ctx(self) -> Context:
        return Context(self.workspace, CLI, self.clock())

    def channel(self, kind: ChannelKind, name: str = "", secret: str = "", **config: Any) -> Channel:
        master = sealing_key(self.settings)
        with self.database.transaction() as tx:
            return channel_actions.add_channel(
                self.ctx,
                tx,
                master,
                name=name or kind.value,
                kind=kind,
                config=ChannelConfig(**config),
                secret=secret,
            )[0]

    def mail(self, port: int, *recipients: str, **config: Any) -> Channel:
        given = {"tls": Tls.NONE, "sender": "holdfast@acme.test", "host": "127.0.0.1", **config}
        name = given.pop("name", "mail")
        to = recipients or ("ada@acme.test",)
        return self.channel(
            ChannelKind.EMAIL, name, given.pop("secret", ""), port=port, recipients=to, **given
        )

    def hook(self, url: str, name: str = "hook") -> Channel:
        return self.channel(ChannelKind.WEBHOOK, name, SIGNING, url=url)

    def message(self, message_id: str, about: str = "", **changed: Any) -> Message:
        told: dict[str, Any] = {
            "id": message_id,
            "kind": MessageKind.FIRING,
            "severity": Severity.CRITICAL,
            "title": f"Error rate of shop: {message_id}",
            "summary": "12 % of <40> calls & more failed.",
            "at": self.clock(),
            "workspace": self.workspace,
            "workspace_name": "Acme",
            "system": "shop",
            "about": about,
            "link": "http://127.0.0.1:8400/w/acme/calls?system=shop",
            "facts": (("Calls", "40"), ("Failed", "5 <b>&")),
        }
        return Message(**{**told, **changed})

    def send(self, message: Message, *channels: Channel) -> list[Delivery]:
        with self.database.transaction() as tx:
            return actions.send(self.ctx, tx, [one.id for one in channels] or None, message)

    def states(self) -> dict[tuple[str, str], str]:
        """(message, channel's name) → state."""
        with self.database.reading() as tx:
            told = reads.deliveries(self.ctx, tx, limit=200)
        return {(one.delivery.message, one.channel_name): one.delivery.state.value for one in told}

    def delivery(self, delivery_id: str) -> tuple[Delivery, list[Receipt]]:
        with self.database.reading() as tx:
            return store.delivery(tx, delivery_id), store.receipts_of(tx, delivery_id)

    def kept(self, channel: Channel) -> Channel:
        with self.database.reading() as tx:
            return reads.channel(self.ctx, tx, channel.id)

    def due_in(self, delivery_id: str) -> float:
        """Seconds until the next attempt."""
        due: datetime = self.delivery(delivery_id)[0].due_at
        return (due - self.clock()).total_seconds()
