"""A signed webhook, as Standard Webhooks 1.0 describes it (standardwebhooks.com).

Headers: `webhook-id` (stable over attempts), `webhook-timestamp` (Unix seconds of this attempt), `webhook-signature`
(`v1,` and the base 64 of HMAC-SHA256 over `id.timestamp.body`, under the bytes of the secret).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import Any

from holdfast.kernel.errors import Invalid
from holdfast.kernel.time import iso
from holdfast.platform.notify import rules
from holdfast.platform.notify.model import Message, Outcome, Parcel, Sent
from holdfast.platform.notify.senders.posting import Poster


class WebhookSender:
    """POSTs the message as JSON."""

    def __init__(self, poster: Poster) -> None:
        self._poster = poster

    def send(self, parcel: Parcel) -> Sent:
        """One attempt, signed anew with its own timestamp."""
        try:
            key = rules.signing_key(parcel.secret)
        except Invalid as error:
            return Sent(Outcome.REFUSED, answer=error.detail)
        body = json.dumps(payload(parcel.message), ensure_ascii=False, separators=(",", ":")).encode()
        seconds = int(parcel.at.timestamp())
        headers = {
            "webhook-id": parcel.delivery.id,
            "webhook-timestamp": str(seconds),
            "webhook-signature": signature(key, parcel.delivery.id, seconds, body),
        }
        return self._poster.post(parcel.channel.config.url, body, headers, parcel.at)


def signature(key: bytes, webhook_id: str, seconds: int, body: bytes) -> str:
    """`v1,…` over the id, the timestamp and the exact bytes of the body."""
    signed = f"{webhook_id}.{seconds}.".encode() + body
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


def payload(message: Message) -> dict[str, Any]:
    """The body: `type`, `timestamp` of the event, `data`. Facts are ready text; `alert` groups firing and resolved."""
    return {
        "type": message.kind.value,
        "timestamp": iso(message.at),
        "data": {
            "message": message.id,
            "alert": message.about or None,
            "severity": message.severity.value,
            "title": message.title,
            "summary": message.summary,
            "workspace": {"id": message.workspace, "name": message.workspace_name},
            "system": message.system or None,
            "link": message.link or None,
            "facts": [{"label": label, "value": value} for label, value in message.facts],
        },
    }
