"""What is kept of every call: appended to the spool by the process in the path, turned into a span by the shipper."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec

from holdfast.gateway.guardrails.judging import Verdict
from holdfast.gateway.model import Dialect, Dimensions


class Attempt(msgspec.Struct, array_like=True, frozen=True):
    """One try at one upstream that did not become the answer."""

    span_id: bytes
    upstream: str
    provider: str
    address: str
    model: str
    started_ns: int
    ended_ns: int
    status: int | None
    error: str
    cost: Decimal | None = None
    """What it counts at where it may have been billed though no answer came, an estimate: what was counted of a stream
    that broke off, else its bound."""
    usage: tuple[int | None, ...] | None = None
    """The same in tokens, where a part of an answer came; an estimate too."""


class Batch(msgspec.Struct, array_like=True, frozen=True):
    """What a batch's record stands for: results that were answered, and how many failed."""

    id: str
    answered: int
    failed: int


class Record(msgspec.Struct, array_like=True):
    """One call. Times are UTC nanoseconds; None is unknown."""

    workspace: str
    trace_id: bytes
    span_id: bytes
    parent_id: bytes
    started_ns: int
    operation: str
    dialect: Dialect
    dimensions: Dimensions
    key: str
    request_model: str
    stream: bool
    ended_ns: int = 0
    release: str = ""
    upstream: str = ""
    provider: str = ""
    address: str = ""
    region: str = ""
    response_model: str | None = None
    response_id: str | None = None
    finish_reasons: tuple[str, ...] = ()
    usage: tuple[int | None, ...] | None = None
    """The fields of `pricing.model.Usage` in their order."""
    service_tier: str | None = None
    first_ns: int | None = None
    status: int | None = None
    error: str | None = None
    cost: Decimal | None = None
    price: str | None = None
    estimated: bool = False
    """Whether the usage was counted here, because the upstream's own never came."""
    cache_hit: bool = False
    cost_avoided: Decimal | None = None
    shadow_of: bytes = b""
    """The span of the call that this is a copy of."""
    attempts: list[Attempt] = []
    parameters: dict[str, Any] = {}
    request: bytes = b""
    response: bytes = b""
    currency: str = "USD"
    variables: dict[str, Any] = {}
    batch: Batch | None = None
    lifted: tuple[str, ...] = ()
    """Caps (scope=value) that it passes only because they were lifted."""
    verdicts: list[Verdict] = []
    asked_model: str = ""
    """What the client called the model."""


encode = msgspec.msgpack.Encoder(decimal_format="string").encode
decode = msgspec.msgpack.Decoder(Record).decode
