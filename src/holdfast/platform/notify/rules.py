"""Decisions of notify: what a channel must say, what an answer means, when to try again."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from email.utils import parseaddr, parsedate_to_datetime
from urllib.parse import urlsplit

from holdfast.kernel.errors import Invalid
from holdfast.platform.notify.model import (
    ChannelConfig,
    ChannelKind,
    Delivery,
    DeliveryState,
    Outcome,
    Sent,
    Tls,
)

FIRST_WAIT = timedelta(seconds=5)
LONGEST_WAIT = timedelta(minutes=15)
LONGEST_WISH = timedelta(hours=1)
"""A provider that asks for more patience than this is asked again all the same."""
GIVE_UP = timedelta(hours=24)
LEASE = timedelta(seconds=120)
"""Longer than any attempt takes. What is not written down by then is taken to have an unknown outcome."""
AGAIN = frozenset({408, 425, 429})
"""Of 4xx, what another try can mend: RFC 9110 section 15.5.9, RFC 8470 section 5.2, RFC 6585 section 4."""
MOST_RECIPIENTS = 50
MOST_ANSWER = 500
LOST = "Holdfast ended before the answer was written down"
_SECRET = re.compile(r"whsec_([A-Za-z0-9+/]+={0,2})")
_HOST = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.:-]{0,251}[A-Za-z0-9_])?")


def check_name(name: str) -> str:
    """A channel's name, trimmed. Raises Invalid."""
    name = name.strip()
    if not name or len(name) > 100:
        raise Invalid("a channel needs a name, of at most 100 characters", where="name")
    return name


def check_config(kind: ChannelKind, config: ChannelConfig, secret: str | None) -> ChannelConfig:
    """The parts that matter for this kind, in one form. `secret` is None where the one that is kept stays.

    Raises Invalid, naming the field. Nothing is resolved or connected here.
    """
    if kind is ChannelKind.EMAIL:
        return _check_email(config)
    if kind is ChannelKind.WEBHOOK:
        url = config.url.strip()
        _check_address(url, "url", ("http", "https"))
        if secret:
            signing_key(secret)
        return ChannelConfig(url=url)
    if secret is None:
        return ChannelConfig(shown_host=config.shown_host)
    return ChannelConfig(shown_host=_check_address(secret.strip(), "secret", ("https", "http")))


def _check_email(config: ChannelConfig) -> ChannelConfig:
    host = config.host.strip()
    if not _HOST.fullmatch(host):
        raise Invalid("this is not the name or address of a mail server", where="host")
    if not 1 <= config.port <= 65535:
        raise Invalid("a port is a number from 1 to 65535", where="port")
    if config.user and config.tls is Tls.NONE:
        raise Invalid("a password is not sent in the clear: choose STARTTLS or TLS, or no user", where="user")
    recipients = tuple(dict.fromkeys(check_address(one, "recipients") for one in config.recipients))
    if not 1 <= len(recipients) <= MOST_RECIPIENTS:
        raise Invalid(f"a channel writes to 1 to {MOST_RECIPIENTS} addresses", where="recipients")
    sender = check_address(config.sender, "sender")
    return ChannelConfig(host, config.port, config.tls, config.user.strip(), sender, recipients)


def check_address(text: str, where: str) -> str:
    """A bare e-mail address in ASCII. Raises Invalid."""
    text = text.strip()
    name, address = parseaddr(text)
    local, _, domain = text.rpartition("@")
    if name or address != text or not local or "." not in f"{domain}." or len(text) > 254:
        raise Invalid(f"{text[:80]!r} is not an e-mail address", where=where)
    if not text.isascii() or any(sign.isspace() or not sign.isprintable() for sign in text) or not domain:
        raise Invalid(f"{text[:80]!r} is not an e-mail address", where=where)
    return text


def _check_address(url: str, where: str, schemes: tuple[str, ...]) -> str:
    """The host of a URL. Raises Invalid, which does not repeat the URL: it may be a secret."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        _ = parts.port
    except ValueError:
        raise Invalid("this is not a URL", where=where) from None
    if parts.scheme not in schemes or not host or len(url) > 2000 or any(sign.isspace() for sign in url):
        raise Invalid("this needs a URL that begins with https://", where=where)
    if parts.username or parts.password:
        raise Invalid("a URL must not hold a user name or password", where=where)
    return host


def signing_key(secret: str) -> bytes:
    """The bytes of a webhook's secret (`whsec_` and base 64 of 24 to 64 bytes, as Standard Webhooks has it).

    Raises Invalid, which does not repeat it.
    """
    found = _SECRET.fullmatch(secret.strip())
    try:
        key = base64.b64decode(found[1], validate=True) if found else b""
    except (ValueError, binascii.Error):
        key = b""
    if not 24 <= len(key) <= 64:
        raise Invalid("a signing secret is whsec_ and 24 to 64 bytes in base 64", where="secret")
    return key


def new_signing_secret(random: bytes) -> str:
    """A signing secret of 24 to 64 random bytes."""
    return "whsec_" + base64.b64encode(random).decode()


def verdict_of(status: int, answer: str, retry_after: str | None, now: datetime) -> Sent:
    """What an HTTP answer means: 2xx has it, 408, 425, 429 and 5xx may take it later, all else never will."""
    said = one_line(answer)
    if 200 <= status < 300:
        return Sent(Outcome.DELIVERED, status, said)
    if status in AGAIN or status >= 500:
        return Sent(Outcome.RETRY, status, said, wish(retry_after, now))
    return Sent(Outcome.REFUSED, status, said)


def wish(retry_after: str | None, now: datetime) -> timedelta | None:
    """A Retry-After header (RFC 9110 section 10.2.3): seconds or a date; None where it says nothing usable."""
    text = (retry_after or "").strip()
    if text.isdigit() and len(text) < 10:
        return min(timedelta(seconds=int(text)), LONGEST_WISH)
    try:
        at = parsedate_to_datetime(text)
    except (TypeError, ValueError, IndexError):
        return None
    gap = (at if at.tzinfo else at.replace(tzinfo=UTC)) - now
    return min(max(gap, timedelta(0)), LONGEST_WISH)


def one_line(text: str) -> str:
    """An answer as it is kept: printable, on one line, cut to 500 characters."""
    return " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())[:MOST_ANSWER]


def without_secret(answer: str, secret: str) -> str:
    """An answer that repeats the secret (or the path of a secret address) without it."""
    if not secret:
        return answer
    parts = urlsplit(secret) if "://" in secret else None
    hidden = [secret, *((parts.path, parts.query) if parts else ())]
    for text in sorted((one for one in hidden if len(one) > 3), key=len, reverse=True):
        answer = answer.replace(text, "…")
    return answer


def wait_before(attempts: int, jitter: float, asked: timedelta | None) -> timedelta:
    """How long to wait after so many attempts (1 or more): 5 s, doubled each time, at most 15 minutes.

    `jitter` in [0, 1) takes up to half of it away, so that many do not come back at once. What the provider
    asked for is never undercut.
    """
    whole = min(FIRST_WAIT * (1 << min(max(attempts, 1) - 1, 20)), LONGEST_WAIT)
    return max(whole * (1 - jitter / 2), asked or timedelta(0))


def after(delivery: Delivery, sent: Sent, now: datetime, jitter: float) -> Delivery:
    """The delivery as it stands after an attempt: delivered, failed for good, or waiting for its next try."""
    free = replace(delivery, lease="", lease_until=None, error="" if _has(sent) else _problem(sent))
    if sent.outcome is Outcome.DELIVERED:
        return replace(free, state=DeliveryState.DELIVERED, finished_at=now, recipients=())
    if sent.outcome is Outcome.REFUSED:
        return replace(free, state=DeliveryState.FAILED, finished_at=now)
    due = now + wait_before(delivery.attempts, jitter, sent.retry_after)
    left = sent.remaining or delivery.recipients
    if due >= delivery.give_up_at:
        gave_up = f"given up after {delivery.attempts} attempts: {_problem(sent)}"
        if delivery.give_up_at <= delivery.created_at:  # a test has one attempt
            gave_up = _problem(sent)
        return replace(free, state=DeliveryState.FAILED, finished_at=now, recipients=left, error=gave_up)
    return replace(free, state=DeliveryState.WAITING, due_at=due, recipients=left)


def _has(sent: Sent) -> bool:
    return sent.outcome is Outcome.DELIVERED


def _problem(sent: Sent) -> str:
    status = f"{sent.status} " if sent.status else ""
    return f"{status}{sent.answer}".strip() or "no answer"


@dataclass(frozen=True, slots=True)
class Health:
    """How a channel does: since when it fails and why (None and empty while it works), when it last delivered."""

    failing_since: datetime | None
    failure: str
    delivered_at: datetime | None


def health_after(before: Health, sent: Sent, now: datetime) -> Health:
    """A channel's health after an attempt: one delivery mends it."""
    if sent.outcome is Outcome.DELIVERED:
        return Health(None, "", now)
    return Health(before.failing_since or now, _problem(sent), before.delivered_at)
