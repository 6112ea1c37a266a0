"""Which model answers: the local one, or the reader's own through three settings."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

import httpx2
from openai import DefaultHttpxClient, OpenAI

from demo.assistant.instruments import say_what_for

LOCAL_MODEL = "smollm2-135m-instruct"


@dataclass(frozen=True)
class Upstream:
    """Where chat requests go. `local` is True for the demo's own small model, which needs a helping hand with
    tools; `gateway` where they go through Holdfast's gateway, which is told what each is for.
    """

    base_url: str
    api_key: str
    model: str
    local: bool
    gateway: bool = False


def upstream(environment: Mapping[str, str] = os.environ, *, local_url: str | None = None) -> Upstream:
    """Reads HOLDFAST_DEMO_BASE_URL, _API_KEY and _MODEL; without the first, the local model answers.

    The local model's address is `local_url`, else OPENAI_BASE_URL. Where HOLDFAST_DEMO_GATEWAY_URL and _KEY are set,
    either is asked through that gateway. Raises ValueError where an own upstream is named without a model.
    """
    where = _model(environment, local_url)
    gateway = environment.get("HOLDFAST_DEMO_GATEWAY_URL", "")
    if not gateway:
        return where
    key = environment.get("HOLDFAST_DEMO_GATEWAY_KEY", "none")
    return replace(where, base_url=f"{gateway}/v1", api_key=key, gateway=True)


def _model(environment: Mapping[str, str], local_url: str | None) -> Upstream:
    own = environment.get("HOLDFAST_DEMO_BASE_URL", "").strip()
    if own:
        model = environment.get("HOLDFAST_DEMO_MODEL", "").strip()
        if not model:
            raise ValueError("HOLDFAST_DEMO_BASE_URL is set: name the model in HOLDFAST_DEMO_MODEL")
        return Upstream(own, environment.get("HOLDFAST_DEMO_API_KEY", "none"), model, local=False)
    url = local_url or environment.get("OPENAI_BASE_URL", "")
    if not url:
        raise ValueError("no model: set OPENAI_BASE_URL (local model) or HOLDFAST_DEMO_BASE_URL (your own)")
    return Upstream(url, environment.get("OPENAI_API_KEY", "none"), LOCAL_MODEL, local=True)


def client(
    where: Upstream, before_request: Callable[[], None], served_by: Callable[[], str] = lambda: ""
) -> OpenAI:
    """An SDK client whose transport calls `before_request` before each HTTP request leaves (a delay is felt
    there). Where `served_by` names a model, it answers in place of the local one that a request names.
    """
    hooks: dict[str, list[Callable[..., None]]] = {"request": [lambda _request: before_request()]}
    if where.gateway:
        hooks["request"].append(lambda request: say_what_for(request.headers))
    transport = Router(served_by) if where.local else None
    http = DefaultHttpxClient(event_hooks=hooks, transport=transport)
    return OpenAI(
        base_url=where.base_url, api_key=where.api_key, http_client=http, timeout=120.0, max_retries=1
    )


class Router(httpx2.HTTPTransport):
    """What stands between an application and its models and may choose another: the application is not asked.

    The other build is the same weights, which always write their likeliest word; its answers carry its name.
    """

    def __init__(self, served_by: Callable[[], str]) -> None:
        super().__init__()
        self._served_by = served_by

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        """Sends it on to whichever model serves now."""
        other = self._served_by()
        if not other:
            return super().handle_request(request)
        asked = json.loads(request.read())
        headers = {name: value for name, value in request.headers.items() if name != "content-length"}
        body = json.dumps({**asked, "temperature": 0.0}).encode()
        sent = httpx2.Request(
            request.method, request.url, headers=headers, content=body, extensions=request.extensions
        )
        answer = super().handle_request(sent)
        kept = {name: value for name, value in answer.headers.items() if name != "content-length"}
        renamed = Renamed(answer.stream, str(asked["model"]), other)
        return httpx2.Response(answer.status_code, headers=kept, stream=renamed, extensions=answer.extensions)


class Renamed(httpx2.SyncByteStream):
    """An answer in which another model is named, line by line."""

    def __init__(self, inner: httpx2.SyncByteStream | httpx2.AsyncByteStream, old: str, new: str) -> None:
        if not isinstance(inner, httpx2.SyncByteStream):
            raise TypeError("the answer of a synchronous client")
        self._inner = inner
        self._old, self._new = f'"model":"{old}"'.encode(), f'"model":"{new}"'.encode()

    def __iter__(self) -> Iterator[bytes]:
        rest = b""
        for piece in self._inner:
            *lines, rest = (rest + piece).split(b"\n")
            if lines:
                yield (b"\n".join(lines) + b"\n").replace(self._old, self._new)
        yield rest.replace(self._old, self._new)

    def close(self) -> None:
        """Ends the answer."""
        self._inner.close()
