"""Nouns of notify: channels, messages, deliveries, receipts, and what a sender is."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol


class ChannelKind(StrEnum):
    """Where messages can go."""

    EMAIL = "email"
    WEBHOOK = "webhook"
    SLACK = "slack"
    TEAMS = "teams"


class Tls(StrEnum):
    """How a mail server is spoken to: upgraded, encrypted from the first byte, or in the clear."""

    STARTTLS = "starttls"
    TLS = "tls"
    NONE = "none"


class Severity(StrEnum):
    """How much a message matters."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


class MessageKind(StrEnum):
    """What a message tells."""

    FIRING = "alert.firing"
    RESOLVED = "alert.resolved"
    CHANGE = "change.moved"
    TEST = "test"


class DeliveryState(StrEnum):
    """Where one message to one channel has come. `sending` holds a lease; the last three are final."""

    WAITING = "waiting"
    SENDING = "sending"
    DELIVERED = "delivered"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Outcome(StrEnum):
    """What came of one attempt. `unknown`: the process ended before it could write the answer down."""

    DELIVERED = "delivered"
    RETRY = "retry"
    REFUSED = "refused"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class ChannelConfig:
    """What a channel needs to know that is no secret. Which parts matter depends on its kind.

    E-mail: host, port, tls, user (empty: no sign-in), sender, recipients. Webhook: url. Slack and Teams: nothing,
    their whole address is the secret; `shown_host` is the part of it that people may see.
    """

    host: str = ""
    port: int = 587
    tls: Tls = Tls.STARTTLS
    user: str = ""
    sender: str = ""
    recipients: tuple[str, ...] = ()
    url: str = ""
    shown_host: str = ""


@dataclass(frozen=True, slots=True)
class Channel:
    """A way out of a workspace. `secret` is a reference (`secret:…`) to the password, signing secret or address."""

    id: str
    workspace: str
    name: str
    kind: ChannelKind
    config: ChannelConfig
    secret: str
    enabled: bool
    created_at: datetime
    created_by: str
    changed_at: datetime
    failing_since: datetime | None = None
    failure: str = ""
    delivered_at: datetime | None = None

    @property
    def target(self) -> str:
        """Where it leads, as people may see it."""
        if self.kind is ChannelKind.EMAIL:
            return ", ".join(self.config.recipients)
        return self.config.url or self.config.shown_host


@dataclass(frozen=True, slots=True)
class Message:
    """What is told. `about` groups the messages of one alert: they reach a channel in the order of their making.

    `facts` are pairs of label and ready text. `link` is the address of a page that shows it, whole or from `/` on.
    `system` is empty where the message is about several. Whoever makes the message gives the id, so that making it
    again sends nothing again.
    """

    id: str
    kind: MessageKind
    severity: Severity
    title: str
    summary: str
    at: datetime
    workspace: str
    workspace_name: str
    system: str = ""
    about: str = ""
    link: str = ""
    facts: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message to one channel. `id` is stable over every attempt: receivers drop a second copy by it.

    `recipients`: the addresses that are still to be reached, where a mail server took the message for some only.
    """

    id: str
    workspace: str
    message: str
    channel: str
    about: str
    state: DeliveryState
    attempts: int
    due_at: datetime
    give_up_at: datetime
    created_at: datetime
    lease: str = ""
    lease_until: datetime | None = None
    finished_at: datetime | None = None
    recipients: tuple[str, ...] = ()
    error: str = ""


@dataclass(frozen=True, slots=True)
class Receipt:
    """What came of one attempt: the provider's answer as far as it may be shown, its status code, the time it took."""

    delivery: str
    workspace: str
    attempt: int
    started_at: datetime
    duration_ms: float | None
    outcome: Outcome
    status: int | None
    answer: str


@dataclass(frozen=True, slots=True)
class Sent:
    """What a sender says of one attempt. `retry_after` is the provider's wish; `remaining` see Delivery.recipients."""

    outcome: Outcome
    status: int | None = None
    answer: str = ""
    retry_after: timedelta | None = None
    remaining: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Parcel:
    """All that a sender needs for one attempt. `secret` is never printed."""

    delivery: Delivery
    channel: Channel
    message: Message
    at: datetime
    secret: str = field(repr=False, default="")


class Sender(Protocol):
    """Takes one message to one kind of channel, once. Never raises for what the other side does."""

    def send(self, parcel: Parcel) -> Sent:
        """One attempt, at most about half a minute long."""
        ...
