"""API keys at the hot doors: looked up once in a while, held in memory in between."""

from __future__ import annotations

from holdfast.kernel.errors import Unauthenticated
from holdfast.kernel.time import Clock
from holdfast.platform.access import reads as access
from holdfast.platform.access.model import ApiKey, Scope
from holdfast.storage.sql import Database
from holdfast.telemetry.ingest.policies import Fresh


class Keys:
    """Tells whose key it is. A revoked key is refused within two seconds, wherever it was revoked."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._known: Fresh[str, ApiKey | None] = Fresh(self._load, 2.0)

    def _load(self, text: str) -> ApiKey | None:
        with self._database.reading() as tx:
            return access.key_by_text(tx, text)

    def check(self, text: str | None, needed: Scope) -> ApiKey:
        """The key behind a text. Raises Unauthenticated, Denied."""
        if not text:
            raise Unauthenticated(
                "no API key: send 'authorization: Bearer hf_…'"
                " (OTEL_EXPORTER_OTLP_HEADERS='authorization=Bearer%20hf_…')"
            )
        return access.check(self._known.get(text), needed, self._clock())


def bearer(headers: dict[str, str]) -> str | None:
    """The key in a request's headers (lower-case names)."""
    scheme, _, token = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and token.strip():
        return token.strip()
    return headers.get("x-holdfast-key") or None
