"""How other rooms, and Try it, ask a gateway that runs: by HTTP, with a pass that the core signs for a short while."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from types import TracebackType
from typing import Any

import httpx2

from holdfast.gateway import keys
from holdfast.gateway.dialects.speech import HOLDFAST
from holdfast.gateway.model import Dimensions, Pass
from holdfast.kernel.errors import Unavailable
from holdfast.kernel.time import Clock
from holdfast.platform import outbound
from holdfast.platform.settings import Settings

LIFE = timedelta(minutes=5)
TIMEOUT = httpx2.Timeout(5.0, read=180.0)
_NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def address(settings: Settings) -> str:
    """Where a gateway is reached from here."""
    if settings.gateway_url:
        return settings.gateway_url.rstrip("/")
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.host, settings.host)  # noqa: S104
    return f"http://{f'[{host}]' if ':' in host else host}:{settings.gateway_port}"


@dataclass(frozen=True, slots=True)
class Asker:
    """In whose name is asked. `key` is what the request counts as, an id of a client key or a name that no key has.

    `release` by name: it answers whatever the route's split says. `once`: asked under this name again within a day, the
    answer that was made is told again and costs nothing.
    """

    workspace: str
    key: str
    release: str = ""
    once: str = ""


class Inner:
    """A client of the gateway. Safe from several threads; keeps its connections until `close`."""

    def __init__(self, settings: Settings, clock: Clock, connections: int = 20) -> None:
        self._where = address(settings)
        self._clock = clock
        self._signer = keys.load(settings.data)
        if settings.gateway_url:
            self._client = outbound.client(settings, TIMEOUT)
        else:
            limits = httpx2.Limits(max_connections=connections, max_keepalive_connections=connections)
            self._client = httpx2.Client(timeout=TIMEOUT, trust_env=False, verify=_NO_TLS, limits=limits)

    def ask(
        self,
        asker: Asker,
        path: str,
        body: Mapping[str, Any],
        said: Dimensions,
        extra: Mapping[str, Any] | None = None,
    ) -> httpx2.Response:
        """Posts a request and waits for the whole answer, whatever its status. `extra` stands beside the dimensions.

        Raises Unavailable where no gateway answers.
        """
        ends = self._clock() + LIFE
        told = keys.made_pass(self._signer, Pass(asker.workspace, asker.key, ends, asker.release, asker.once))
        own = {name: value for name in Dimensions.__struct_fields__ if (value := getattr(said, name))}
        whole = {**body, HOLDFAST: {**own, **(extra or {})}}
        try:
            return self._client.post(
                self._where + path, json=whole, headers={"authorization": f"Bearer {told}"}
            )
        except httpx2.ConnectError:
            raise Unavailable(
                f"no gateway answers at {self._where}; start one with holdfast up or holdfast gateway serve,"
                " or say where it is with HOLDFAST_GATEWAY_URL"
            ) from None
        except httpx2.TimeoutException:
            raise Unavailable(f"the gateway at {self._where} did not answer in time") from None
        except httpx2.HTTPError as error:
            raise Unavailable(f"the gateway at {self._where} broke off ({type(error).__name__})") from None

    def close(self) -> None:
        """Closes the connections."""
        self._client.close()

    def __enter__(self) -> Inner:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
