"""Slack's incoming webhooks: a Block Kit message. The address itself is the secret; Slack answers `ok`.

Slack has no id by which it would drop a second copy, so the one that a crash can cause is shown twice there.
"""

from __future__ import annotations

import json
from typing import Any

from holdfast.kernel.time import iso
from holdfast.platform.notify.model import Message, MessageKind, Parcel, Sent, Severity
from holdfast.platform.notify.senders.posting import Poster

MOST_HEADER, MOST_SECTION, MOST_FIELD, MOST_FIELDS = 150, 3000, 2000, 10
"""Characters and fields that Block Kit takes in a header, a section, a field, and fields in one section."""
_SIGNS = {Severity.CRITICAL: "🔴", Severity.WARNING: "🟠", Severity.INFO: "🔵"}


class SlackSender:
    """POSTs to the address that Slack gave."""

    def __init__(self, poster: Poster) -> None:
        self._poster = poster

    def send(self, parcel: Parcel) -> Sent:
        """One attempt."""
        body = json.dumps(payload(parcel.message), ensure_ascii=False).encode()
        return self._poster.post(parcel.secret.strip(), body, {}, parcel.at)


def escaped(text: str) -> str:
    """Text that Slack takes as it is: its three control characters are entities."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def cut(text: str, most: int) -> str:
    """No longer than `most`, with an ellipsis where something is missing."""
    return text if len(text) <= most else text[: most - 1] + "…"


def payload(message: Message) -> dict[str, Any]:
    """Header, summary, facts two by two, a button, and where it comes from; `text` is what a notification shows."""
    sign = "🟢" if message.kind is MessageKind.RESOLVED else _SIGNS[message.severity]
    blocks: list[dict[str, Any]] = [
        {"type": "header", "text": _plain(f"{sign} {message.title}", MOST_HEADER)},
        {"type": "section", "text": _marked(escaped(message.summary), MOST_SECTION)},
    ]
    fields = [
        _marked(f"*{escaped(cut(label, 200))}*\n{escaped(cut(value, 800))}", MOST_FIELD)
        for label, value in message.facts
    ]
    blocks += [
        {"type": "section", "fields": fields[start : start + MOST_FIELDS]}
        for start in range(0, min(len(fields), 40), MOST_FIELDS)
    ]
    if message.link:
        button = {"type": "button", "text": _plain("Open in Holdfast", 75), "url": cut(message.link, 3000)}
        blocks.append({"type": "actions", "elements": [button]})
    source = f"Holdfast · {message.workspace_name} · {iso(message.at)[:19]}Z"
    blocks.append({"type": "context", "elements": [_marked(escaped(source), MOST_FIELD)]})
    return {"text": cut(f"{sign} {escaped(message.title)}", MOST_SECTION), "blocks": blocks}


def _plain(text: str, most: int) -> dict[str, Any]:
    return {"type": "plain_text", "text": cut(text, most), "emoji": True}


def _marked(text: str, most: int) -> dict[str, Any]:
    return {"type": "mrkdwn", "text": cut(text, most)}
