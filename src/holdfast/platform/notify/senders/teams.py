"""Microsoft Teams by a Workflows webhook: an Adaptive Card in the message envelope. The address is the secret."""

from __future__ import annotations

import json
import re
from typing import Any

from holdfast.kernel.time import iso
from holdfast.platform.notify.model import Message, MessageKind, Parcel, Sent, Severity
from holdfast.platform.notify.senders.posting import Poster

MOST_TEXT = 2000
"""Characters of one text, so that the whole stays under the 28 KB that Teams takes."""
_TONES = {Severity.CRITICAL: "attention", Severity.WARNING: "warning", Severity.INFO: "accent"}
_MARKS = re.compile(r"([\\*_\[\]()`~>#])")


class TeamsSender:
    """POSTs to the address of a workflow."""

    def __init__(self, poster: Poster) -> None:
        self._poster = poster

    def send(self, parcel: Parcel) -> Sent:
        """One attempt; a workflow answers 202."""
        body = json.dumps(payload(parcel.message), ensure_ascii=False).encode()
        return self._poster.post(parcel.secret.strip(), body, {}, parcel.at)


def escaped(text: str) -> str:
    """Text without Markdown: a card renders a subset of it."""
    return _MARKS.sub(r"\\\1", text[:MOST_TEXT])


def payload(message: Message) -> dict[str, Any]:
    """The envelope of one card: title, summary, facts, a button."""
    tone = "good" if message.kind is MessageKind.RESOLVED else _TONES[message.severity]
    facts = [{"title": label[:200], "value": escaped(value[:300])} for label, value in message.facts[:20]]
    body: list[dict[str, Any]] = [
        _text(message.title, size="Large", weight="Bolder", color=tone),
        _text(message.summary),
    ]
    if facts:
        body.append({"type": "FactSet", "facts": facts})
    source = f"Holdfast · {message.workspace_name} · {iso(message.at)[:19]}Z"
    body.append(_text(source, isSubtle=True, size="Small"))
    card: dict[str, Any] = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": body,
        "msteams": {"width": "Full"},
    }
    if message.link:
        card["actions"] = [{"type": "Action.OpenUrl", "title": "Open in Holdfast", "url": message.link}]
    attachment = {
        "contentType": "application/vnd.microsoft.card.adaptive",
        "contentUrl": None,
        "content": card,
    }
    return {"type": "message", "attachments": [attachment]}


def _text(text: str, **more: object) -> dict[str, Any]:
    return {"type": "TextBlock", "text": escaped(text), "wrap": True, **more}
