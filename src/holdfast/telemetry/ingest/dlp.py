"""A company's own DLP webhook: POST {"texts": […]} is answered by {"texts": […]}, redacted, of the same length."""

from __future__ import annotations

import logging
import threading
import time

import httpx2
import msgspec

from holdfast.kernel.errors import HoldfastError
from holdfast.platform import outbound
from holdfast.platform.settings import Settings

log = logging.getLogger("holdfast.dlp")
SECONDS = 2.0
MOST_FAILURES = 3
REST_SECONDS = 5.0
"""After three failures in a row a webhook is left alone for so long: waiting for it would hold up all telemetry."""


class Answer(msgspec.Struct):
    """What the webhook answers."""

    texts: list[str]


class Dlp:
    """Asks webhooks. Thread-safe. Whatever goes wrong, the answer is None and the content is not to be stored."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._client: httpx2.Client | None = None
        self._lock = threading.Lock()
        self._failures: dict[str, tuple[int, float]] = {}

    def redact(self, url: str, texts: list[str]) -> list[str] | None:
        """The texts as the webhook lets them pass; None where it does not answer in two seconds, or not as agreed."""
        if not texts:
            return []
        failures, last = self._failures.get(url, (0, 0.0))
        if failures >= MOST_FAILURES and time.monotonic() < last + REST_SECONDS:
            return None
        try:
            answer = self._ask(url, texts)
        except (httpx2.HTTPError, msgspec.DecodeError, ValueError, HoldfastError) as error:
            log.warning("the DLP webhook failed, content is withheld: %s", type(error).__name__)
            self._failures[url] = (failures + 1, time.monotonic())
            return None
        self._failures.pop(url, None)
        return answer

    def _ask(self, url: str, texts: list[str]) -> list[str]:
        body = msgspec.json.encode({"texts": texts})
        most = 2 * len(body) + (1 << 20)
        deadline = time.monotonic() + SECONDS
        received = bytearray()
        headers = {"content-type": "application/json", "accept": "application/json"}
        with self._open().stream("POST", url, content=body, headers=headers) as response:
            response.raise_for_status()
            for chunk in response.iter_bytes():
                received += chunk
                if len(received) > most or time.monotonic() > deadline:
                    raise ValueError("the answer is too long or too slow")
        made = msgspec.json.decode(bytes(received), type=Answer).texts
        if len(made) != len(texts):
            raise ValueError("the answer has another number of texts")
        return made

    def _open(self) -> httpx2.Client:
        with self._lock:
            if self._client is None:
                self._client = outbound.guarded_client(self._settings, httpx2.Timeout(SECONDS))
            return self._client

    def close(self) -> None:
        """Closes connections."""
        with self._lock:
            if self._client is not None:
                self._client.close()
                self._client = None
