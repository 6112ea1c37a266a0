"""Batches that a vendor works through for hours: the most that one can cost, when it is over, and what it used.

Two protocols: OpenAI's (a file of lines, uploaded before; the results are another file) and Anthropic's (all requests in
one body; the results are lines). A batch is settled once, by what its results say, line by line, because a price that
rises with the input holds for each line and not for their sum.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from types import MappingProxyType
from typing import Any

import msgspec

from holdfast.gateway.dialects import shelf
from holdfast.gateway.dialects.openai import usage_of
from holdfast.gateway.dialects.speech import Body, Speech, parse
from holdfast.gateway.model import Dialect
from holdfast.gateway.rules.bound import Bound, bound
from holdfast.gateway.rules.inputs import Unbounded, input_bound
from holdfast.kernel.errors import Invalid
from holdfast.pricing.model import Rates, Usage
from holdfast.pricing.rules.charge import charge

LONGEST_LINE = 64 << 20
"""Bytes of one line up to which it is read."""
_OVER = frozenset({"completed", "failed", "expired", "cancelled", "ended"})
_SAYS: Mapping[Dialect, Speech] = MappingProxyType(
    {
        Dialect.OPENAI: shelf.SPEECHES["/v1/chat/completions"],
        Dialect.ANTHROPIC: shelf.SPEECHES["/v1/messages"],
    }
)
"""What reads the model and usage of an answer; all of OpenAI's operations say them alike."""
Prices = Mapping[str, Rates]
"""Model → what its tokens cost in a batch."""


class Lines:
    """Cuts a stream of bytes into lines. `lost`: whether one was too long to be read."""

    def __init__(self) -> None:
        self._rest = bytearray()
        self.lost = False

    def feed(self, chunk: bytes) -> list[bytes]:
        """The lines that are complete, without empty ones."""
        self._rest += chunk
        if b"\n" not in chunk:
            self._cut()
            return []
        *whole, rest = bytes(self._rest).split(b"\n")
        self._rest = bytearray(rest)
        self._cut()
        return [line for line in whole if line.strip()]

    def end(self) -> list[bytes]:
        """What stands after the last line break."""
        rest, self._rest = bytes(self._rest), bytearray()
        return [rest] if rest.strip() else []

    def _cut(self) -> None:
        if len(self._rest) > LONGEST_LINE:
            self._rest.clear()
            self.lost = True


class Most(msgspec.Struct, frozen=True, array_like=True):
    """The most that a batch costs. `reason` says why no amount can be stated; `amount` is then of no use."""

    upstream: str
    lines: int
    tokens: int
    amount: Decimal
    currency: str
    models: tuple[str, ...]
    reason: str = ""


@dataclass
class Tally:
    """The bounds of a batch's requests, added up."""

    upstream: str
    dialect: Dialect
    prices: Prices
    lines: int = 0
    tokens: int = 0
    amount: Decimal = Decimal(0)
    currency: str = ""
    models: dict[str, None] = field(default_factory=dict)
    reason: str = ""

    def line(self, raw: bytes) -> None:
        """A line of OpenAI's input file."""
        try:
            said = _line.decode(raw)
            speech = shelf.SPEECHES.get(said.url)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            self._refuse("is no JSON with `url` and `body`")
            return
        if speech is None:
            self._refuse("asks for an operation whose cost has no bound here")
            return
        self._add(speech, said.body)

    def requests(self, raw: bytes) -> None:
        """The body of Anthropic's request for a batch."""
        try:
            for one in _requests.decode(raw).requests:
                self._add(shelf.SPEECHES["/v1/messages"], one.params)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            self._refuse("is no JSON with `params`")

    def most(self) -> Most:
        """All of them together."""
        models = tuple(self.models)
        return Most(
            self.upstream, self.lines, self.tokens, self.amount, self.currency or "USD", models, self.reason
        )

    def _add(self, speech: Speech, raw: bytes) -> None:
        try:
            body: Body = parse(raw)
            asked = speech.asked("", body)
            read = input_bound(msgspec.json.decode(raw), len(raw), self.dialect, asked.model)
        except Invalid as error:
            self._refuse(error.detail)
            return
        self.models[asked.model] = None
        found = bound(read, asked.max_output, self.prices.get(asked.model), choices=asked.choices)
        if isinstance(found, Unbounded):
            self._refuse(found.reason)
        elif found.currency != (self.currency or found.currency):
            self._refuse(f"is priced in {found.currency}, others in {self.currency}")
        else:
            self._count(found)

    def _count(self, found: Bound) -> None:
        self.lines += 1
        self.tokens += found.tokens_in + found.tokens_out
        self.amount += found.amount
        self.currency = found.currency

    def _refuse(self, reason: str) -> None:
        self.lines += 1
        self.reason = self.reason or f"request {self.lines} of the batch: {reason}"


class Standing(msgspec.Struct, frozen=True):
    """What a vendor says of a batch."""

    id: str
    status: str
    output_file_id: str | None = None
    model: str | None = None
    usage: dict[str, Any] | None = None
    processing_status: str = ""
    results_url: str | None = None

    @property
    def over(self) -> bool:
        """Whether nothing more of it will be billed."""
        return (self.processing_status or self.status) in _OVER

    @property
    def outcome(self) -> str:
        """Its last status; `completed` where it ran to its end."""
        said = self.processing_status or self.status
        return "completed" if said == "ended" else said


def standing(raw: bytes) -> Standing | None:
    """A batch as its vendor states it, in either protocol; None where this is none."""
    try:
        found: dict[str, Any] = msgspec.json.decode(raw, type=dict[str, Any])
        found.setdefault("status", "")
        made = msgspec.convert(found, Standing)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return made if made.id and (made.status or made.processing_status) else None


@dataclass
class Part:
    """Results of one model whose prices are in the same band, with their usage summed."""

    model: str
    usage: Usage = field(default_factory=Usage)
    answered: int = 0
    cost: Decimal | None = Decimal(0)
    currency: str = "USD"
    price: str | None = None
    most: int | None = None
    """Input tokens that the sum may reach without moving into another band of the price."""


@dataclass
class Results:
    """What the results of a batch say, line by line. `unknown`: lines that were answered and do not say what they used."""

    dialect: Dialect
    prices: Prices
    asked: tuple[str, ...] = ()
    parts: list[Part] = field(default_factory=list)
    failed: int = 0
    unknown: int = 0
    _open: dict[tuple[str, str | None], Part] = field(default_factory=dict)

    def line(self, raw: bytes) -> None:
        """One line of the results."""
        try:
            body = _answered(raw, self.dialect)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            self.unknown += 1
            return
        if body is None:
            self.failed += 1
            return
        answer = _SAYS[self.dialect].answer(body)
        if answer.usage is None:
            self.unknown += 1
        else:
            self._add(answer.model or "", answer.usage)

    def whole(self, model: str, raw: Mapping[str, Any]) -> None:
        """The usage of all of it, where only that is stated."""
        usage = usage_of(raw)
        if usage is None:
            self.unknown += 1
        else:
            self._add(model, usage)

    def _add(self, model: str, usage: Usage) -> None:
        name = asked_as(model, self.asked, self.prices)
        rates = self.prices.get(name)
        charged = charge(usage, rates) if rates is not None else None
        price = charged.price_id if charged is not None else None
        size = usage.input_total or 0
        part = self._open.get((name, price))
        if part is None or (part.most is not None and (part.usage.input_total or 0) + size > part.most):
            part = Part(name, price=price, most=_most(rates, size))
            self._open[(name, price)] = part
            self.parts.append(part)
        part.usage = _sum(part.usage, usage)
        part.answered += 1
        if charged is None or charged.amount is None or part.cost is None:
            part.cost = None
        else:
            part.cost += charged.amount
            part.currency = charged.currency


def asked_as(model: str, asked: tuple[str, ...], prices: Prices) -> str:
    """The name by which a model was asked for that answers as `model`: of those in the batch, or with a price."""
    if model in asked or (not asked and model in prices):
        return model
    if len(asked) == 1:
        return asked[0]
    return max((one for one in (*asked, *prices) if model.startswith(one)), key=len, default=model)


def _most(rates: Rates | None, size: int) -> int | None:
    """The input up to which a price stays in the band that one request of `size` is in; None: any."""
    return next((one for one in rates.thresholds if size <= one), None) if rates is not None else None


def _sum(one: Usage, other: Usage) -> Usage:
    return Usage(*(a if b is None else b if a is None else a + b for a, b in zip(one, other, strict=True)))


def _answered(raw: bytes, dialect: Dialect) -> bytes | None:
    """The answer in a line of results; None where the request failed, so that it was not billed."""
    if dialect is Dialect.ANTHROPIC:
        result = _result.decode(raw).result
        return bytes(result.message) if result.type == "succeeded" and result.message else None
    response = _output.decode(raw).response
    return bytes(response.body) if response is not None and response.status_code < 300 else None


class _Line(msgspec.Struct):
    url: str
    body: msgspec.Raw


class _Request(msgspec.Struct):
    params: msgspec.Raw


class _Requests(msgspec.Struct):
    requests: list[_Request]


class _Response(msgspec.Struct):
    status_code: int
    body: msgspec.Raw


class _Output(msgspec.Struct):
    response: _Response | None = None


class _Outcome(msgspec.Struct):
    type: str
    message: msgspec.Raw = msgspec.Raw()


class _Result(msgspec.Struct):
    result: _Outcome


_line = msgspec.json.Decoder(_Line)
_requests = msgspec.json.Decoder(_Requests)
_output = msgspec.json.Decoder(_Output)
_result = msgspec.json.Decoder(_Result)
