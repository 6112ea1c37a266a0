"""POST of a small JSON body to an address that a user gave, and what its answer means."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from datetime import datetime

import httpx2

from holdfast.kernel.errors import Invalid, Unavailable
from holdfast.platform import outbound
from holdfast.platform.notify import rules
from holdfast.platform.notify.model import Outcome, Sent
from holdfast.platform.settings import Settings

SECONDS = 20.0
MOST_BYTES = 4096


class Poster:
    """One client for every HTTP channel: private addresses refused, one CA bundle and proxy. Thread-safe."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._client: httpx2.Client | None = None
        self._lock = threading.Lock()

    def post(self, url: str, body: bytes, headers: Mapping[str, str], at: datetime) -> Sent:
        """One attempt. What the other side does wrong is an outcome, never an exception."""
        sent = {"content-type": "application/json", "user-agent": "Holdfast", **headers}
        try:
            with self._open().stream("POST", url, content=body, headers=sent) as response:
                answer = _beginning(response)
                return rules.verdict_of(response.status_code, answer, response.headers.get("retry-after"), at)
        except Invalid as error:
            return Sent(Outcome.REFUSED, answer=error.detail)
        except Unavailable as error:
            return Sent(Outcome.RETRY, answer=error.detail)
        except (httpx2.InvalidURL, httpx2.UnsupportedProtocol):
            return Sent(Outcome.REFUSED, answer="this is not a URL")
        except httpx2.TimeoutException as error:
            return Sent(Outcome.RETRY, answer=f"no answer in time ({type(error).__name__})")
        except httpx2.HTTPError as error:
            return Sent(Outcome.RETRY, answer=rules.one_line(f"no answer: {error or type(error).__name__}"))

    def _open(self) -> httpx2.Client:
        with self._lock:
            if self._client is None:
                self._client = outbound.guarded_client(self._settings)
            return self._client

    def close(self) -> None:
        """Closes connections."""
        with self._lock:
            if self._client is not None:
                self._client.close()
                self._client = None


def _beginning(response: httpx2.Response) -> str:
    """The first 4 KB of an answer: the rest is not waited for."""
    received = bytearray()
    deadline = time.monotonic() + SECONDS
    for chunk in response.iter_bytes():
        received += chunk
        if len(received) >= MOST_BYTES or time.monotonic() > deadline:
            break
    return bytes(received[:MOST_BYTES]).decode("utf-8", "replace")
