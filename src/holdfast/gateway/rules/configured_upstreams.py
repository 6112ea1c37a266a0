"""What is wrong with an upstream as configured. No message repeats a credential."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import PurePosixPath
from types import MappingProxyType
from urllib.parse import SplitResult, urlsplit

from holdfast.gateway.dialects.shelf import auth_of, signed_for
from holdfast.gateway.model import Auth, Dialect, Timeouts, Upstream
from holdfast.gateway.rules.written import Fault
from holdfast.pricing.model import Usage

AUTHS: Mapping[Dialect, tuple[Auth, ...]] = MappingProxyType(
    {
        Dialect.OPENAI: (Auth.BEARER, Auth.API_KEY, Auth.X_API_KEY, Auth.SIGV4, Auth.NONE),
        Dialect.ANTHROPIC: (Auth.X_API_KEY, Auth.BEARER, Auth.API_KEY, Auth.SIGV4, Auth.NONE),
        Dialect.GEMINI: (Auth.GOOGLE, Auth.BEARER, Auth.SIGV4, Auth.NONE),
        Dialect.BEDROCK: (Auth.SIGV4, Auth.BEARER, Auth.NONE),
    }
)
"""How credentials may be sent, by dialect."""
OPERATORS = ("env:", "file:", "vault:", "workload:")
"""References that only the operator may write: they reach into the machine."""
WORKLOADS: Mapping[str, Auth] = MappingProxyType(
    {"aws": Auth.SIGV4, "azure": Auth.BEARER, "gcp": Auth.BEARER}
)
"""Clouds at which a machine has an identity of its own, and how what they give it is sent."""
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")
_HEADER_VALUE = re.compile(r"[\x20-\x7e\t]{0,2000}")
_CREDENTIAL_HEADERS = frozenset(
    {"authorization", "proxy-authorization", "x-api-key", "api-key", "x-goog-api-key", "cookie"}
)
_OWN_HEADERS = frozenset(
    {"host", "content-length", "transfer-encoding", "connection", "te", "trailer", "upgrade", "expect"}
)
LONGEST = 3600.0


def upstream_faults(
    name: str,
    upstream: Upstream,
    *,
    operator: bool,
    secrets: Collection[str],
    kept: Upstream | None,
) -> Iterator[Fault]:
    """Every fault of an upstream. `secrets` are references that the workspace has, `kept` is the upstream in force."""
    where = f"upstreams.{name}"
    yield from base_url_faults(f"{where}.base_url", upstream.base_url)
    allowed = AUTHS[upstream.dialect]
    if upstream.auth is not None and upstream.auth not in allowed:
        yield Fault(f"{where}.auth", f"an upstream that speaks {upstream.dialect} takes {', '.join(allowed)}")
    if auth_of(upstream) is Auth.SIGV4 and not signed_for(upstream)[1]:
        yield Fault(f"{where}.region", "a request is signed for one region of AWS; name it (us-east-1)")
    yield from _credential(where, upstream, secrets, operator=operator or inherits(upstream, kept))
    yield from _headers(f"{where}.headers", upstream.headers)
    yield from _timeouts(f"{where}.timeouts", upstream.timeouts)
    if not 1 <= upstream.concurrency <= 100_000:
        yield Fault(f"{where}.concurrency", "from 1 to 100000 requests at once")
    for index, model in enumerate(upstream.models):
        if not model.strip():
            yield Fault(f"{where}.models[{index}]", "a model has a name")
    yield from _prices(f"{where}.prices", upstream)


def inherits(upstream: Upstream, kept: Upstream | None) -> bool:
    """Whether what the operator allowed for an upstream still holds: nothing of where it leads and as whom has changed."""
    return kept is not None and all(
        getattr(upstream, field) == getattr(kept, field)
        for field in ("dialect", "base_url", "auth", "credential", "headers", "region")
    )


def base_url_faults(where: str, text: str) -> Iterator[Fault]:
    """What is wrong with a base URL as text; where it leads is judged elsewhere."""
    try:
        parts: SplitResult | None = urlsplit(text)
        assert parts is not None
        parts.port  # noqa: B018  # raises where it is no number
    except ValueError:
        parts = None
    if parts is None or parts.scheme not in ("http", "https") or not parts.hostname or len(text) > 2000:
        yield Fault(where, "write it like https://api.example.com/v1: http or https, host, path")
    elif "@" in parts.netloc:
        yield Fault(where, "a URL holds no user name or password; name a credential instead")
    elif parts.query or parts.fragment or any(not 32 < ord(one) < 127 for one in text):
        yield Fault(where, "leave out what follows the path, and write it in ASCII")


def _credential(
    where: str, upstream: Upstream, secrets: Collection[str], *, operator: bool
) -> Iterator[Fault]:
    auth = auth_of(upstream)
    text, place = upstream.credential, f"{where}.credential"
    if not text:
        if auth is Auth.SIGV4 and not operator:
            yield Fault(
                place,
                "without a credential the machine's own identity would sign; only the operator may choose that,"
                " from the command line. Name a secret (secret:…)",
            )
        elif upstream.auth not in (None, Auth.NONE, Auth.SIGV4):
            yield Fault(place, f"{auth} needs a credential; name a secret (secret:…), or say auth: none")
    elif auth is Auth.NONE:
        yield Fault(place, "with auth none no credential is sent; leave it out")
    else:
        yield from reference_faults(place, text, secrets, operator=operator)
        if operator and text.startswith("workload:") and text not in OPERATORS:
            yield from _workload(place, text, auth)


def reference_faults(place: str, text: str, secrets: Collection[str], *, operator: bool) -> Iterator[Fault]:
    """What is wrong with a reference to a credential. `operator`: whether it may reach into the machine."""
    if text.startswith("secret:"):
        if text not in secrets:
            yield Fault(place, "there is no such secret in this workspace")
    elif not text.startswith(OPERATORS):
        yield Fault(
            place,
            "a credential is a reference, never the key itself: secret:…, or env:, file:, vault:, workload:",
        )
    elif not operator:
        yield Fault(
            place,
            "only the operator may name env:, file:, vault: or workload:, with `holdfast gateway apply`;"
            " keep the key as a secret of this workspace and name that (secret:…)",
        )
    elif text.startswith("file:") and not PurePosixPath(text[5:]).is_absolute():
        yield Fault(place, "a secret's file is given by its whole path")
    elif text in OPERATORS:
        yield Fault(place, "this names nothing")


def _workload(place: str, text: str, auth: Auth) -> Iterator[Fault]:
    wanted = WORKLOADS.get(text.removeprefix("workload:"))
    if wanted is None:
        yield Fault(place, f"a machine's identity is workload:{', workload:'.join(WORKLOADS)}")
    elif auth is not wanted:
        yield Fault(place, f"what {text} gives is sent by auth: {wanted}")


def _headers(where: str, headers: Mapping[str, str]) -> Iterator[Fault]:
    for index, (name, value) in enumerate(headers.items()):
        if not _HEADER.fullmatch(name):
            yield Fault(f"{where}[{index}]", "this is not the name of a header")
        elif name.lower() in _CREDENTIAL_HEADERS:
            yield Fault(
                f"{where}.{name}", "a credential is no header; name it in credential, and how in auth"
            )
        elif name.lower() in _OWN_HEADERS:
            yield Fault(f"{where}.{name}", "the gateway sets this header itself")
        elif not _HEADER_VALUE.fullmatch(value):
            yield Fault(
                f"{where}.{name}", "a header's value is one line of ASCII, of at most 2000 characters"
            )


def _timeouts(where: str, timeouts: Timeouts) -> Iterator[Fault]:
    for name in Timeouts.__struct_fields__:
        if not 0 < getattr(timeouts, name) <= LONGEST:
            yield Fault(f"{where}.{name}", f"above 0 and at most {LONGEST:.0f} seconds")


def _prices(where: str, upstream: Upstream) -> Iterator[Fault]:
    for model, rates in upstream.prices.items():
        place = f"{where}.{model}"
        if "input_uncached" not in rates:
            yield Fault(place, "a price needs at least the rate for input_uncached")
        for bucket, amount in rates.items():
            if bucket not in Usage._fields:
                yield Fault(
                    f"{place}.{bucket[:60]}", f"there is no such bucket; they are {', '.join(Usage._fields)}"
                )
            elif not amount.is_finite() or not 0 <= amount < 1_000_000_000:
                yield Fault(f"{place}.{bucket}", "an amount in USD per million tokens, not negative")
