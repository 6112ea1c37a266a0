"""Links that need no log-in: a token that names one call, until when, and by which key it was signed.

`<key id>.<what it says>.<HMAC-SHA256>`; what it says is the call, the trace, when it expires (Unix seconds) and a nonce, as
JSON in URL-safe base 64. It names no workspace: the key's id leads to it here alone. Keys are derived from the master key,
so nothing that signs is stored.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from urllib.parse import urlsplit

from holdfast.kernel.errors import Invalid, NotFound

LONGEST = timedelta(days=365)
MAX_TOKEN = 1000
MAX_ORIGINS = 20
GONE = "this link does not hold: it has expired, was withdrawn, or was not copied whole"


class Link(NamedTuple):
    """What a token says. `id` is that of the item that is given through it."""

    id: str
    call_id: str | None
    trace_id: str | None
    expires_at: datetime


def derived(master: bytes, key_id: str) -> bytes:
    """The signing key of a link key."""
    return hmac.new(master, f"feedback link v1|{key_id}".encode(), hashlib.sha256).digest()


def signed(
    key: bytes, key_id: str, call_id: str | None, trace_id: str | None, expires_at: datetime, nonce: str
) -> str:
    """A token."""
    told = {"c": call_id, "t": trace_id, "x": int(expires_at.timestamp()), "n": nonce}
    said = f"{key_id}.{_text(json.dumps(told, separators=(',', ':')).encode())}"
    return f"{said}.{_text(_mac(key, said))}"


def key_of(token: str) -> str:
    """The id of the key that a token says it was signed by. Raises NotFound on anything that is no token."""
    parts = token.split(".")
    if len(token) > MAX_TOKEN or len(parts) != 3 or not token.isascii():
        raise NotFound(GONE)
    return parts[0]


def opened(key: bytes, token: str, now: datetime) -> Link:
    """What a token says. Raises NotFound unless this key signed it, all of it, and its time has not passed."""
    said, _, mac = token.rpartition(".")
    try:
        if not hmac.compare_digest(_mac(key, said), _bytes(mac)):
            raise NotFound(GONE)
        told = json.loads(_bytes(said.partition(".")[2]))
        expires_at = datetime.fromtimestamp(told["x"], UTC)
        found = Link(f"lk_{hashlib.sha256(said.encode()).hexdigest()[:32]}", told["c"], told["t"], expires_at)
    except (ValueError, KeyError, TypeError, binascii.Error) as error:
        raise NotFound(GONE) from error
    if expires_at <= now:
        raise NotFound(GONE)
    return found


def check_origins(origins: tuple[str, ...]) -> tuple[str, ...]:
    """Sites that may embed the widget, as `https://shop.example`. Raises Invalid."""
    if len(origins) > MAX_ORIGINS:
        raise Invalid(f"a key names at most {MAX_ORIGINS} sites", where="origins")
    for one in origins:
        parts = _parts(one)
        plain = parts is not None and one == f"{parts[0]}://{parts[1]}"
        if not plain or any(character in one for character in " ;,'\"*\t\r\n") or not one.isascii():
            raise Invalid(
                f"{one[:80]!r} is no site; write each as https://shop.example, without a path",
                where="origins",
            )
    return origins


def _parts(origin: str) -> tuple[str, str] | None:
    try:
        parts = urlsplit(origin)
        _ = parts.port
    except ValueError:
        return None
    return (parts.scheme, parts.netloc) if parts.scheme in ("http", "https") and parts.hostname else None


def _mac(key: bytes, said: str) -> bytes:
    return hmac.new(key, said.encode(), hashlib.sha256).digest()


def _text(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).decode().rstrip("=")


def _bytes(text: str) -> bytes:
    """Strictly: one text alone stands for these bytes."""
    value = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    if _text(value) != text:
        raise ValueError("another text of the same bytes")
    return value
