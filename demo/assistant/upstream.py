"""Which model answers: the local one, or the reader's own through three settings."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from openai import DefaultHttpxClient, OpenAI

LOCAL_MODEL = "smollm2-135m-instruct"


@dataclass(frozen=True)
class Upstream:
    """Where chat requests go. `local` is True for the demo's own small model, which needs a helping hand with
    tools.
    """

    base_url: str
    api_key: str
    model: str
    local: bool


def upstream(environment: Mapping[str, str] = os.environ, *, local_url: str | None = None) -> Upstream:
    """Reads HOLDFAST_DEMO_BASE_URL, _API_KEY and _MODEL; without the first, the local model answers.

    The local model's address is `local_url`, else OPENAI_BASE_URL. Raises ValueError where an own upstream is
    named without a model.
    """
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


def client(where: Upstream, before_request: Callable[[], None]) -> OpenAI:
    """An SDK client whose transport calls `before_request` before each HTTP request leaves (a delay is felt
    there).
    """
    http = DefaultHttpxClient(event_hooks={"request": [lambda _request: before_request()]})
    return OpenAI(
        base_url=where.base_url, api_key=where.api_key, http_client=http, timeout=120.0, max_retries=1
    )
