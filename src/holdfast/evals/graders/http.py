"""The grader of one's own service: it is sent case, params and answer as JSON, and replies with a grade."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import msgspec

from holdfast.evals.graders.grading import Fault, Finding, Made, Outside
from holdfast.evals.graders.leaving import MOST_REPLY, heard, told
from holdfast.evals.model import Answer, Case
from holdfast.kernel.errors import HoldfastError

if TYPE_CHECKING:
    import httpx2

_MOST_SECONDS = 120.0


class _Http(msgspec.Struct, forbid_unknown_fields=True):
    url: str
    params: dict[str, Any] = {}
    credential: str = ""
    """Name of a credential that is sent as a bearer token."""
    seconds: float = 10.0
    edition: str = ""
    """The version of the service, as its owner counts it: kept grades are good for one."""


def _faults(params: _Http) -> Iterator[Fault]:
    try:
        parts = urlsplit(params.url)
        good = parts.scheme in ("http", "https") and parts.hostname and parts.username is None
    except ValueError:
        good = False
    if not good:
        yield "url", "write an http or https URL, without a user name or password"
    if not 0 < params.seconds <= _MOST_SECONDS:
        yield "seconds", f"this is more than 0 and at most {_MOST_SECONDS:g}"


def _look(case: Case, params: _Http, answer: Answer, outside: Outside) -> Finding:
    import httpx2

    who = urlsplit(params.url).hostname or "the service"
    if outside.client is None:
        return Finding(None, "services outside are not asked here")
    try:
        headers = {"content-type": "application/json", "accept-encoding": "identity"}
        if params.credential:
            if outside.credential is None:
                return Finding(None, "there are no credentials here")
            headers["authorization"] = f"Bearer {outside.credential(params.credential, who)}"
        with outside.client() as client:
            return _asked(client, params, headers, told(case, params.params, answer), who)
    except httpx2.TimeoutException:
        return Finding(None, f"{who} took longer than {params.seconds:g} s")
    except httpx2.HTTPError as error:
        return Finding(None, f"{who} could not be asked: {type(error).__name__}")
    except HoldfastError as error:
        return Finding(None, f"{who} is not asked: {error.detail}")


def _asked(client: httpx2.Client, params: _Http, headers: dict[str, str], body: bytes, who: str) -> Finding:
    """One request; all of it, the reading too, within the time. No redirect is followed."""
    end = time.monotonic() + params.seconds
    raw = b""
    with client.stream(
        "POST", params.url, content=body, headers=headers, timeout=params.seconds, follow_redirects=False
    ) as response:
        if response.status_code != 200:
            return Finding(None, f"{who} answered {response.status_code}")
        for chunk in response.iter_raw():
            raw += chunk
            if len(raw) > MOST_REPLY:
                break
            if time.monotonic() > end:
                return Finding(None, f"{who} took longer than {params.seconds:g} s")
    return heard(raw, who)


def _under(params: _Http, _: Outside) -> str:
    return params.edition or "unstated"


HTTP = Made("http", "1", _Http, _look, _faults, bar=0.5, under=_under)
