"""Picks the sender for a kind of channel."""

from __future__ import annotations

from holdfast.platform.notify.model import ChannelKind, Sender
from holdfast.platform.notify.senders.email import EmailSender
from holdfast.platform.notify.senders.posting import Poster
from holdfast.platform.notify.senders.slack import SlackSender
from holdfast.platform.notify.senders.teams import TeamsSender
from holdfast.platform.notify.senders.webhook import WebhookSender
from holdfast.platform.settings import Settings


def senders(settings: Settings) -> dict[ChannelKind, Sender]:
    """One sender for each kind; those by HTTP share their connections."""
    poster = Poster(settings)
    return {
        ChannelKind.EMAIL: EmailSender(settings),
        ChannelKind.WEBHOOK: WebhookSender(poster),
        ChannelKind.SLACK: SlackSender(poster),
        ChannelKind.TEAMS: TeamsSender(poster),
    }
