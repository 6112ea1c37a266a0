"""A day's traffic whose truth is known before it is sent: calls, who saw them, their tokens and prices, who is erased."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from otlp_made import request, span

NS = 10**9
SYSTEMS = ("shop", "desk", "mail-sorter")
ROUTES = ("answer", "sort", "sum up")
TENANTS = ("acme", "it's \\ odd", "zeta")
PERSON = "carla-4711-unusual"
USERS = ("ann", "bob", "dave", PERSON)
FRAMEWORK, SDK = "openinference.instrumentation.chain", "vendor.sdk"
ERRORS = {"rate_limit": "openai.RateLimitError", "timeout": "openai.APITimeoutError"}
EMBEDDER = "embed-1"
PROVIDERS = {
    "large-1": "openai",
    "small-1": "anthropic",
    "gpt-4o-mini": "openai",  # at its list price until the afternoon
    "reported-1": "openai",  # only its sender says what it costs, until the afternoon
    "unknown-1": "openai",  # nobody says what it costs, until the afternoon
    EMBEDDER: "openai",
}


@dataclass(frozen=True)
class Price:
    """What a model costs from an instant on (Unix nanoseconds): amounts per million tokens."""

    model: str
    since_ns: int
    currency: str
    rates: Mapping[str, str]

    def of(self, tokens: Tokens) -> Decimal:
        cached = tokens.cached or 0
        uncached_rate = Decimal(self.rates["input_uncached"])
        cached_rate = Decimal(self.rates.get("input_cache_read", self.rates["input_uncached"]))
        amount = (tokens.input - cached) * uncached_rate + cached * cached_rate
        return (amount + (tokens.output or 0) * Decimal(self.rates.get("output", "0"))) / 10**6


def _rates(uncached: str, output: str = "", read: str = "") -> dict[str, str]:
    told = {"input_uncached": uncached, "output": output, "input_cache_read": read}
    return {name: rate for name, rate in told.items() if rate}


MORNING = (
    Price("large-1", 0, "USD", _rates("2.5", "10.0001", "0.25")),
    Price("small-1", 0, "EUR", _rates("0.8", "4", "0.08")),
    Price(EMBEDDER, 0, "USD", _rates("0.0213")),
)
LISTED = Price("gpt-4o-mini", 0, "USD", _rates("0.15", "0.6"))


def afternoon(since_ns: int) -> tuple[Price, ...]:
    """Prices that hold from an instant on and become known later: one in another currency, two for the first time."""
    return (
        Price("large-1", since_ns, "EUR", _rates("3.1", "9.7", "0.31")),
        Price("gpt-4o-mini", since_ns, "USD", _rates("0.17", "0.61")),
        Price("reported-1", since_ns, "USD", _rates("1.000003", "2")),
        Price("unknown-1", since_ns, "EUR", _rates("7", "7.5")),
    )


@dataclass(frozen=True)
class Tokens:
    """All input tokens, how many of them were read from a cache (None: not told), and those of the answer."""

    input: int
    output: int | None
    cached: int | None = None

    @property
    def told(self) -> int:
        return sum(one is not None for one in (self.input, self.output, self.cached))


@dataclass(frozen=True)
class Who:
    """For whom; None is unknown."""

    route: str | None = None
    tenant: str | None = None
    user: str | None = None
    session: str | None = None


NOBODY = Who()


@dataclass(frozen=True)
class Told:
    """A span in the form in which it is sent. `model` is empty where it is no sight of a call."""

    trace: str
    id: str
    parent: str
    scope: str
    start_ns: int
    duration_ms: int
    model: str = ""
    who: Who = NOBODY
    tokens: Tokens | None = None
    error: str = ""
    response: str = ""
    reported: Decimal | None = None

    def span(self) -> Span:
        """As it goes over the wire."""
        made = span(
            self.trace, self.id, self.parent, start_ns=self.start_ns, duration_ms=self.duration_ms,
            name=self.model or "step", attributes={**self._about(), **self._for_whom()},
        )  # fmt: skip
        if self.error:
            made.status.code = Status.STATUS_CODE_ERROR
        return made

    def _about(self) -> dict[str, Any]:
        if not self.model:
            return {"step": self.id}
        provider = PROVIDERS[self.model]
        if self.scope == FRAMEWORK:
            told: dict[str, Any] = {
                "openinference.span.kind": "LLM",
                "llm.model_name": self.model,
                "llm.provider": provider,
            }
            if self.tokens is not None:
                told["llm.token_count.prompt"] = self.tokens.input
                told["llm.token_count.completion"] = self.tokens.output
            return told
        told = {
            "gen_ai.operation.name": "embeddings" if self.model == EMBEDDER else "chat",
            "gen_ai.provider.name": provider,
            "gen_ai.request.model": self.model,
            "gen_ai.response.id": self.response or None,
            "error.type": ERRORS.get(self.error),
            "gen_ai.usage.cost": None if self.reported is None else float(self.reported),
        }
        if self.tokens is not None:
            told["gen_ai.usage.input_tokens"] = self.tokens.input
            told["gen_ai.usage.output_tokens"] = self.tokens.output
            told["gen_ai.usage.cache_read.input_tokens"] = self.tokens.cached
        if not self.error and self.model != EMBEDDER:
            told["gen_ai.response.finish_reasons"] = ["stop"]
        return {name: value for name, value in told.items() if value is not None}

    def _for_whom(self) -> dict[str, Any]:
        told = {
            "holdfast.route": self.who.route,
            "holdfast.tenant": self.who.tenant,
            "user.id": self.who.user,
            "session.id": self.who.session,
        }
        return {name: value for name, value in told.items() if value is not None}


@dataclass(frozen=True)
class TrueCall:
    """One request as it was made: the spans that saw it, the outermost first; a span between them; a failed first try."""

    sights: tuple[str, ...]
    bridge: str = ""
    failed: str = ""


@dataclass
class Trace:
    """A trace: of which system, and the calls that were made in it."""

    id: str
    system: str
    calls: list[TrueCall] = field(default_factory=list)


@dataclass(frozen=True)
class Row:
    """A call as it has to stand once so many spans have arrived."""

    trace: str
    id: str
    system: str
    model: str
    provider: str
    who: Who
    start_ns: int
    error: str
    attempt: bool
    tokens: Tokens | None
    finished: bool
    cost: Decimal | None
    currency: str
    reported: bool


class Day:
    """Makes traffic, and knows what has arrived of it and what that amounts to."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.traces: dict[str, Trace] = {}
        self.arrived: dict[str, Told] = {}
        """The latest form of every span that has arrived."""
        self.coming: list[tuple[int, Told]] = []
        """Spans that were not sent yet, and at which turn each is."""
        self.erased: set[str] = set()
        self.prices: tuple[Price, ...] = (*MORNING, LISTED)

    def make(self, turn: int, traces: int, first_ns: int, last_ns: int) -> None:
        """What happens between two instants. Most of it is sent at this turn, the rest up to six turns later."""
        for _ in range(traces):
            trace = Trace(self.rng.randbytes(16).hex(), self.rng.choice(SYSTEMS))
            self.traces[trace.id] = trace
            at = self.rng.randrange(first_ns, last_ns)
            who = self._who()
            root = Told(
                trace.id, self._id(), "", "http", at, 60_000, who=who if self.rng.random() < 0.7 else NOBODY
            )
            rooted = self.rng.random() < 0.6
            self._send(turn, [root] if rooted else [], late=0.5)
            for number in range(self.rng.randint(1, 3)):
                start = at + number * 7 * NS + self.rng.randrange(NS)
                shape = self.rng.choice(
                    (self._plain, self._plain, self._nested, self._bridged, self._retried)
                )
                spans = shape(trace, root.id if rooted else "", start, NOBODY if rooted else who)
                self._send(turn, spans, late=0.25)

    def _send(self, turn: int, spans: Iterable[Told], late: float) -> None:
        for one in spans:
            self.coming.append((turn + (self.rng.randint(1, 6) if self.rng.random() < late else 0), one))

    def _id(self) -> str:
        return self.rng.randbytes(8).hex()

    def _who(self) -> Who:
        pick = self.rng
        user = pick.choice((*USERS, None))
        session = f"s{pick.randrange(9)}-{USERS.index(user)}" if user and pick.random() < 0.8 else None
        return Who(pick.choice((*ROUTES, None)), pick.choice((*TENANTS, None)), user, session)

    def _call(self, model: str, *, cached: bool = True) -> dict[str, Any]:
        """What a call's observers tell of it."""
        whole = self.rng.randrange(50, 4000)
        read = self.rng.choice((None, 0, whole // 3)) if cached and model in ("large-1", "small-1") else None
        tokens = Tokens(whole, self.rng.randrange(1, 900), read)
        reported = Decimal(self.rng.randrange(1, 10**6)).scaleb(-6) if model == "reported-1" else None
        return {"model": model, "tokens": tokens, "response": f"r-{self._id()}", "reported": reported}

    def _model(self) -> str:
        return self.rng.choice([name for name in PROVIDERS if name != EMBEDDER])

    def _plain(self, trace: Trace, parent: str, start: int, who: Who) -> list[Told]:
        """One span for one call; some fail, some embed."""
        base = Told(trace.id, self._id(), parent, SDK, start, self.rng.randrange(20, 5000), who=who)
        trace.calls.append(TrueCall((base.id,)))
        chance = self.rng.random()
        if chance < 0.15:
            return [replace(base, model=self._model(), error=self.rng.choice(tuple(ERRORS)))]
        if chance < 0.25:
            return [replace(base, model=EMBEDDER, tokens=Tokens(self.rng.randrange(1, 300), None))]
        return [replace(base, **self._call(self._model()))]

    def _pair(self, trace: Trace, parent: str, start: int, who: Who, between: str = "") -> list[Told]:
        told = self._call(self._model())
        outer = Told(trace.id, self._id(), parent, FRAMEWORK, start, 4000, who=who, **told)
        inner = Told(
            trace.id, self._id(), between or outer.id, SDK, start + 2 * 10**6, 3900, who=NOBODY, **told
        )
        seen = None if self.rng.random() < 0.3 else replace(outer.tokens, cached=None)  # type: ignore[type-var]
        return [replace(outer, tokens=seen, reported=None, response=""), inner]

    def _nested(self, trace: Trace, parent: str, start: int, who: Who) -> list[Told]:
        """A framework's span around that of the SDK."""
        spans = self._pair(trace, parent, start, who)
        trace.calls.append(TrueCall(tuple(one.id for one in spans)))
        return spans

    def _bridged(self, trace: Trace, parent: str, start: int, who: Who) -> list[Told]:
        """Both, with a span between them that alone tells that they belong together."""
        between = Told(trace.id, self._id(), "", "http", start + 10**6, 3950)
        outer, inner = self._pair(trace, parent, start, who, between.id)
        trace.calls.append(TrueCall((outer.id, inner.id), bridge=between.id))
        return [outer, replace(between, parent=outer.id), inner]

    def _retried(self, trace: Trace, parent: str, start: int, who: Who) -> list[Told]:
        """A framework's span around a try that was turned away and one that went well."""
        outer, inner = self._pair(trace, parent, start, who)
        failed = Told(
            trace.id, self._id(), outer.id, SDK, start + 10**6, 500, inner.model, error="rate_limit"
        )
        inner = replace(inner, start_ns=start + 600 * 10**6, duration_ms=3000)
        trace.calls.append(TrueCall((outer.id, inner.id), failed=failed.id))
        return [outer, failed, inner]

    def due(self, turn: int) -> list[Told]:
        """What is to be sent at a turn."""
        found = [one for when, one in self.coming if when <= turn]
        self.coming = [(when, one) for when, one in self.coming if when > turn]
        self.rng.shuffle(found)
        return found

    def corrected(self, some: int) -> list[Told]:
        """Spans that say something else the second time: other tokens, or that they began hours earlier."""
        alone = [
            call.sights[0]
            for trace in self.traces.values()
            for call in trace.calls
            if len(call.sights) == 1 and call.sights[0] not in self.erased
        ]
        held = [self.arrived[one] for one in alone if one in self.arrived and self.arrived[one].tokens]
        made = []
        for one in self.rng.sample(held, min(some, len(held))):
            if self.rng.random() < 0.5:
                made.append(replace(one, start_ns=one.start_ns - self.rng.randrange(3 * 3600 * NS)))
            else:
                made.append(replace(one, tokens=replace(one.tokens, input=self.rng.randrange(5000, 9000))))
        return made

    def again(self, some: int) -> list[Told]:
        """Spans that have arrived, as they were sent last; a person's own are not sent again."""
        held = [one for one in self.arrived.values() if one.id not in self.erased]
        return self.rng.sample(held, min(some, len(held)))

    def bodies(self, spans: list[Told]) -> list[list[Told]]:
        """Spans in company of any size, in any order."""
        found, rest = [], list(spans)
        self.rng.shuffle(rest)
        while rest:
            size = self.rng.randint(1, 25)
            found.append(rest[:size])
            rest = rest[size:]
        return found

    def body(self, spans: Iterable[Told]) -> bytes:
        """A request of some spans, each under its own resource and scope."""
        made = ExportTraceServiceRequest()
        for one in spans:
            about = {"service.name": self.traces[one.trace].system}
            made.MergeFrom(request([one.span()], resource=about, scope=one.scope))
        return bytes(made.SerializeToString())

    def erase(self, person: str) -> None:
        """Nothing names a person any more."""
        theirs = {one.trace for one in self.arrived.values() if one.who.user == person}
        for one in [one for one in self.arrived.values() if one.trace in theirs]:
            self.arrived[one.id] = replace(one, who=replace(one.who, user=None, session=None))
            self.erased.add(one.id)

    def rows(self) -> Iterator[Row]:
        """The calls as they stand by what has arrived."""
        for trace in self.traces.values():
            for call in trace.calls:
                seen = [self.arrived[one] for one in call.sights if one in self.arrived]
                whole = not call.bridge or call.bridge in self.arrived
                for group in [seen] if whole and seen else [[one] for one in seen]:
                    yield self._row(trace, group, attempt=False)
                if call.failed in self.arrived:
                    outer = call.sights[0] in self.arrived
                    yield self._row(trace, [self.arrived[call.failed]], attempt=outer)

    def _row(self, trace: Trace, seen: list[Told], *, attempt: bool) -> Row:
        outer = seen[0]
        told = [one.tokens for one in reversed(seen) if one.tokens is not None]
        tokens = max(told, key=lambda one: one.told, default=None)
        reported = next((one.reported for one in seen if one.reported is not None), None)
        cost, currency = self._cost(outer.model, outer.start_ns, tokens, reported)
        finished = any(not one.error and one.model != EMBEDDER and one.scope == SDK for one in seen)
        return Row(
            trace.id, outer.id, trace.system, outer.model, PROVIDERS[outer.model], self._whose(seen), outer.start_ns,
            outer.error, attempt, tokens, finished, cost, currency, reported is not None and cost == reported,
        )  # fmt: skip

    def _whose(self, seen: list[Told]) -> Who:
        """What the spans of a call say, or the nearest above that has arrived."""
        sources = list(seen)
        above = self.arrived.get(seen[-1].parent)
        while above is not None:
            sources.append(above)
            above = self.arrived.get(above.parent)
        return Who(**{
            name: next((found for one in sources if (found := getattr(one.who, name))), None)
            for name in ("route", "tenant", "user", "session")
        })  # fmt: skip

    def _cost(
        self, model: str, start_ns: int, tokens: Tokens | None, reported: Decimal | None
    ) -> tuple[Decimal | None, str]:
        held = [one for one in self.prices if one.model == model and one.since_ns <= start_ns]
        if held and tokens is not None:
            price = max(held, key=lambda one: one.since_ns)
            return price.of(tokens), price.currency
        return reported, "USD" if reported is not None else ""


def instant(ns: int) -> datetime:
    """Unix nanoseconds as an instant, rounded down to the microsecond."""
    return datetime.fromtimestamp(ns // NS, UTC).replace(microsecond=ns % NS // 1000)
