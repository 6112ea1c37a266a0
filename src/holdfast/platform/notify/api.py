"""The JSON door of notify: channels, test messages, deliveries with their receipts."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field

from holdfast.kernel.time import iso
from holdfast.platform.access.guard import caller, problems, services
from holdfast.platform.access.model import Caller, Scope
from holdfast.platform.notify import reads
from holdfast.platform.notify.actions import channels as channel_actions
from holdfast.platform.notify.actions import outbox
from holdfast.platform.notify.model import Channel, ChannelConfig, ChannelKind, Delivery, Receipt, Tls
from holdfast.platform.secrets.reads import sealing_key

router = APIRouter(prefix="/api/v1", tags=["notifications"], responses=problems(401, 403, 404, 422, 503))
Reader = Annotated[Caller, Depends(caller(Scope.READ, everywhere=True))]
Admin = Annotated[Caller, Depends(caller(Scope.ADMIN, everywhere=True))]
Id = Annotated[str, Field(max_length=40)]
Address = Annotated[str, Field(max_length=254)]


class ChannelChange(BaseModel):
    """What may change of a channel. `secret` null keeps the one that is kept; it is never shown again."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[str, Field(max_length=100)]
    enabled: bool = True
    host: Annotated[str, Field(max_length=253, description="E-mail: the mail server.")] = ""
    port: int = 587
    tls: Tls = Tls.STARTTLS
    user: Annotated[str, Field(max_length=254, description="E-mail: empty for no sign-in.")] = ""
    sender: Address = ""
    recipients: Annotated[list[Address], Field(max_length=50)] = Field(default_factory=list)
    url: Annotated[str, Field(max_length=2000, description="Webhook: where to.")] = ""
    secret: Annotated[
        str | None,
        Field(
            max_length=2000,
            description="Password, signing secret (whsec_…), or the address that Slack or Teams gave.",
        ),
    ] = None

    @property
    def config(self) -> ChannelConfig:
        """What is no secret."""
        to = tuple(self.recipients)
        return ChannelConfig(self.host, self.port, self.tls, self.user, self.sender, to, self.url)


class NewChannel(ChannelChange):
    """A channel to add. A webhook without a secret is given one."""

    kind: ChannelKind


class ChannelOut(BaseModel):
    """A channel. What is secret of it is not shown."""

    id: str
    name: str
    kind: ChannelKind
    enabled: bool
    host: str | None
    port: int | None
    tls: Tls | None
    user: str | None
    sender: str | None
    recipients: list[str]
    url: str | None
    created_at: str
    changed_at: str
    failing_since: str | None
    failure: str | None
    delivered_at: str | None

    @classmethod
    def of(cls, one: Channel) -> ChannelOut:
        """As it is kept, without its secret."""
        mail = one.kind is ChannelKind.EMAIL
        config = one.config
        return cls(
            id=one.id,
            name=one.name,
            kind=one.kind,
            enabled=one.enabled,
            host=config.host if mail else config.shown_host or None,
            port=config.port if mail else None,
            tls=config.tls if mail else None,
            user=config.user or None,
            sender=config.sender or None,
            recipients=list(config.recipients),
            url=config.url or None,
            created_at=iso(one.created_at),
            changed_at=iso(one.changed_at),
            failing_since=iso(one.failing_since) if one.failing_since else None,
            failure=one.failure or None,
            delivered_at=iso(one.delivered_at) if one.delivered_at else None,
        )


class NewChannelOut(BaseModel):
    """The channel, and the signing secret that was made for it (else null): in this answer and nowhere else."""

    channel: ChannelOut
    signing_secret: str | None


class ReceiptOut(BaseModel):
    """What came of one attempt. `status` is the code of HTTP or SMTP; null where there was no answer."""

    attempt: int
    started_at: str
    duration_ms: float | None
    outcome: str
    status: int | None
    answer: str

    @classmethod
    def of(cls, one: Receipt) -> ReceiptOut:
        """As it is kept."""
        return cls(
            attempt=one.attempt,
            started_at=iso(one.started_at),
            duration_ms=one.duration_ms,
            outcome=one.outcome.value,
            status=one.status,
            answer=one.answer,
        )


class DeliveryOut(BaseModel):
    """One message to one channel: where it has come, and every attempt."""

    id: str
    message: str
    channel: str
    state: str
    attempts: int
    created_at: str
    due_at: str | None
    finished_at: str | None
    error: str | None
    receipts: list[ReceiptOut]

    @classmethod
    def of(cls, one: Delivery, receipts: list[Receipt]) -> DeliveryOut:
        """As it is kept; `due_at` only while it waits."""
        return cls(
            id=one.id,
            message=one.message,
            channel=one.channel,
            state=one.state.value,
            attempts=one.attempts,
            created_at=iso(one.created_at),
            due_at=None if one.finished_at else iso(one.due_at),
            finished_at=iso(one.finished_at) if one.finished_at else None,
            error=one.error or None,
            receipts=[ReceiptOut.of(receipt) for receipt in receipts],
        )


@router.get("/channels", responses=problems(401, 403, 404, 422))
def list_channels(request: Request, by: Reader) -> list[ChannelOut]:
    """The channels of this workspace, by name."""
    with services(request).database.reading() as tx:
        return [ChannelOut.of(one) for one in reads.channels(by.ctx, tx)]


@router.post("/channels", status_code=201, responses=problems(401, 403, 404, 409, 422, 503))
def add_channel(request: Request, by: Admin, body: NewChannel) -> NewChannelOut:
    """Adds a channel. A webhook's signing secret, where none is sent, is made and shown in this answer alone."""
    found = services(request)
    channel_actions.check_target(found.settings, body.kind, body.config, body.secret)
    master = sealing_key(found.settings)
    with found.database.transaction() as tx:
        channel, made = channel_actions.add_channel(
            by.ctx, tx, master, name=body.name, kind=body.kind, config=body.config, secret=body.secret or ""
        )
    return NewChannelOut(channel=ChannelOut.of(channel), signing_secret=made or None)


@router.put("/channels/{channel}", responses=problems(401, 403, 404, 409, 422, 503))
def change_channel(request: Request, by: Admin, channel: Id, body: ChannelChange) -> ChannelOut:
    """Changes a channel; its kind stays."""
    found = services(request)
    with found.database.reading() as tx:
        kind = reads.channel(by.ctx, tx, channel).kind
    channel_actions.check_target(found.settings, kind, body.config, body.secret or None)
    master = sealing_key(found.settings)
    with found.database.transaction() as tx:
        return ChannelOut.of(
            channel_actions.change_channel(
                by.ctx,
                tx,
                master,
                channel,
                name=body.name,
                config=body.config,
                secret=body.secret or None,
                enabled=body.enabled,
            )
        )


@router.delete("/channels/{channel}", status_code=204, responses=problems(401, 403, 404, 422))
def remove_channel(request: Request, by: Admin, channel: Id) -> None:
    """Forgets a channel and its secret; what waits for it is cancelled."""
    with services(request).database.transaction() as tx:
        channel_actions.remove_channel(by.ctx, tx, channel)


@router.post("/channels/{channel}/test", responses=problems(401, 403, 404, 422, 503))
def test_channel(request: Request, by: Admin, channel: Id) -> DeliveryOut:
    """Sends a real test message, once, and answers with its receipt: delivered, or the exact failure."""
    found = services(request)
    delivery = outbox.test(by.ctx, request.app.state.post, channel, by.workspace.slug)
    with found.database.reading() as tx:
        return DeliveryOut.of(delivery, reads.receipts(tx, delivery.id))


@router.get("/deliveries", responses=problems(401, 403, 404, 422))
def list_deliveries(
    request: Request, by: Reader, channel: Id = "", limit: Annotated[int, Field(ge=1, le=200)] = 50
) -> list[DeliveryOut]:
    """The latest messages to the channels, with every attempt; the latest first."""
    with services(request).database.reading() as tx:
        told = reads.deliveries(by.ctx, tx, channel, limit)
        return [DeliveryOut.of(one.delivery, reads.receipts(tx, one.delivery.id)) for one in told]
