"""Nouns of telemetry: spans as they came, the facts read from them, and calls as they are counted.

What is made for every span is a msgspec.Struct: it behaves like a dataclass with slots, and is made in a fifth of the time.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any, Literal, NamedTuple

import msgspec

from holdfast.pricing.model import Charge, Usage

Attributes = dict[str, Any]
"""Attribute values are str, bool, int, float, bytes, None, or lists and dicts of these."""


class Kind(StrEnum):
    """What a span is about. Only the first three are calls."""

    INFERENCE = "inference"
    EMBEDDINGS = "embeddings"
    RERANK = "rerank"
    RETRIEVAL = "retrieval"
    TOOL = "tool"
    AGENT = "agent"
    WORKFLOW = "workflow"
    OTHER = "other"

    @property
    def is_call(self) -> bool:
        return self in _CALLS


_CALLS = (Kind.INFERENCE, Kind.EMBEDDINGS, Kind.RERANK)
OPERATIONS = (Kind.TOOL, Kind.RETRIEVAL, Kind.AGENT)
"""What else is counted: tool calls, retrievals, agent runs."""
RETRIEVAL = "retrieval."
"""How the names of parameters begin that say from where and how a call was given documents."""


class ErrorClass(StrEnum):
    """Who or what failed."""

    MODEL = "model"
    APPLICATION = "application"
    RATE_LIMIT = "rate_limit"
    TIMEOUT = "timeout"
    CONTENT_FILTER = "content_filter"


class Span(msgspec.Struct):
    """One span as it came: an observation. Times are Unix nanoseconds; ids are lower-case hex.

    Nothing changes one after admission.
    """

    trace_id: str
    span_id: str
    parent_span_id: str
    name: str
    kind: str  # INTERNAL, SERVER, CLIENT, PRODUCER, CONSUMER, UNSPECIFIED
    start_ns: int
    end_ns: int
    status: str  # unset, ok, error
    status_message: str
    scope_name: str
    scope_version: str
    attributes: Attributes
    resource: Attributes
    events: list[SpanEvent] = msgspec.field(default_factory=list)
    links: list[dict[str, Any]] = msgspec.field(default_factory=list)
    trace_state: str = ""
    flags: int = 0
    told: dict[str, Any] | None = (
        None  # where the content is gone: what it said by the way (conventions.byway)
    )


class SpanEvent(msgspec.Struct):
    """An event on a span; `time_ns` is Unix nanoseconds."""

    name: str
    time_ns: int
    attributes: Attributes


class Facts(msgspec.Struct, array_like=True):
    """What one span says, in canonical words, whichever convention it was written in.

    None is unknown: the span does not say. `provenance` names, for each field that is set, the attribute that
    it was read from. `usage` holds exclusive buckets (see pricing.model.Usage). `quality` lists data-quality
    events, such as `usage.part_exceeds_whole`.
    """

    kind: Kind
    convention: str
    operation: str | None = None  # gen_ai.operation.name: chat, text_completion, embeddings, execute_tool …
    provider: str | None = None
    request_model: str | None = None
    response_model: str | None = None
    response_id: str | None = None
    streaming: bool | None = None
    ttft_ms: float | None = None
    finish_reasons: tuple[str, ...] = ()
    refusal: bool | None = None
    error_class: ErrorClass | None = None
    error_type: str | None = None
    usage: Usage | None = None
    service_tier: str | None = None
    reported_cost: Decimal | None = None
    parameters: dict[str, Any] = msgspec.field(default_factory=dict)  # temperature, max_tokens, retrieval.… …
    system: str | None = None
    environment: str | None = None
    route: str | None = None
    agent: str | None = None
    tenant: str | None = None
    user: str | None = None
    session: str | None = None
    release: str | None = None
    feature: str | None = None
    tool_name: str | None = None
    cache_hit: bool | None = (
        None  # whether a cache answered in place of the model, or of the store of a retrieval
    )
    data_source: str | None = None  # what a retrieval looked in: a knowledge base, an index, a collection
    documents: int | None = None  # how many documents a retrieval found
    top_score: float | None = None  # the best score among them, in the unit of the store
    newest_ns: int | None = None  # when the newest of them was last changed, in Unix nanoseconds
    resends: int | None = None  # how often the client sent the request again (http.request.resend_count)
    instructions: tuple[int, ...] | None = (
        None  # fingerprints of the system prompt's sentences; empty: it has none
    )
    tools: tuple[str, ...] | None = None  # tools offered, each name#fingerprint
    sample: bool = False  # holdfast.sample: generated history, marked wherever it shows
    provenance: dict[str, str] = msgspec.field(default_factory=dict)
    quality: tuple[str, ...] = ()
    content: Content | None = None
    told: dict[str, Any] | None = None  # what the content said by the way, to be kept beside the span
    asked_model: str | None = (
        None  # what a gateway's client called the model, where the gateway chose another
    )


@dataclass(slots=True)
class Content:
    """Captured content of one span, already in the GenAI message form: lists of
    `{"role": …, "parts": [{"type": "text", "content": …}, …]}` (OpenTelemetry GenAI 1.37 and later).

    None means not captured. Documents are `{"id", "score", "content", "metadata"}`.
    """

    system_instructions: list[dict[str, Any]] | None = None
    input_messages: list[dict[str, Any]] | None = None
    output_messages: list[dict[str, Any]] | None = None
    tool_definitions: list[dict[str, Any]] | None = None
    tool_arguments: Any = None
    tool_result: Any = None
    query: str | None = None
    documents: list[dict[str, Any]] | None = None


class Observation(msgspec.Struct, array_like=True):
    """One span's part in the counting: its identity, its place in the trace, its facts.

    `sequence` is the commit that stored it; of two with one span id the later one holds.
    """

    span_id: str
    parent_span_id: str
    start_ns: int
    end_ns: int
    error: bool
    scope: str
    sequence: int
    facts: Facts


Noted = tuple[str, Observation]
"""A trace id, and what one span of it says."""


class Call(NamedTuple):
    """One LLM, embedding or rerank request, counted once however many spans saw it."""

    id: str  # the outermost span's id
    trace_id: str
    span_id: str
    start_ns: int
    duration_ns: int
    error: bool
    facts: Facts
    charge: Charge | None
    observations: tuple[str, ...]  # span ids of all that were merged, the outermost first
    sequence: int
    scope: str = ""  # instrumentation scope of the outermost span
    attempt: bool = False  # a failed attempt within a call that is counted: none of its own
    configuration: str = ""  # which configuration it ran under (rules.configurations); empty: unknown


class Operation(NamedTuple):
    """A tool call, a retrieval or an agent run, counted once however many spans saw it.

    `llm_calls` and `tool_calls` are those of an agent run that no other run beneath it made; None: unknown.
    """

    id: str  # the outermost span's id
    trace_id: str
    start_ns: int
    duration_ns: int
    error: bool
    facts: Facts
    observations: tuple[str, ...]  # span ids of all that were merged, the outermost first
    scope: str
    sequence: int
    llm_calls: int | None = None
    tool_calls: int | None = None


@dataclass(frozen=True, slots=True)
class Rejected:
    """A record that was refused on its own: which, why, and how to mend it."""

    where: str  # e.g. "span 5b8efff798038103 of trace 5b8efff7…"
    reason: str


@dataclass(frozen=True, slots=True)
class TimeRange:
    """Half open: start <= t < end."""

    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Step:
    """The length of a step: so many seconds from the Unix epoch on, or a calendar day, week or month in a time zone.

    Weeks begin on Monday.
    """

    seconds: int = 0
    calendar: Literal["", "day", "week", "month"] = ""
    zone: str = "UTC"


@dataclass(frozen=True, slots=True)
class MetricQuery:
    """Measures (names of `rules.measures`) of the calls and operations of a window, by step and by at most two dimensions.

    `equals` maps a dimension to the values allowed (empty text: unknown). `pairs`: only these (system, environment),
    empty text meaning any; none: no limit. Of more groups than `limit`, those with most calls are answered.
    `totals`: also by spans of that length from the window's beginning on, each of whole steps; for measures that count
    no different values.
    """

    measures: tuple[str, ...]
    within: TimeRange
    step: Step | None = None
    group_by: tuple[str, ...] = ()
    equals: dict[str, tuple[str, ...]] = field(default_factory=dict)
    pairs: tuple[tuple[str, str], ...] = ()
    limit: int = 1000
    totals: timedelta | None = None


@dataclass(frozen=True, slots=True)
class MetricRow:
    """One step (its start; None without steps) of one group (a value per dimension, empty text unknown)."""

    start: datetime | None
    group: tuple[str, ...]
    values: dict[str, Any]


@dataclass(frozen=True, slots=True)
class MetricAnswer:
    """Rows in order of step, then of calls. A step without calls has no row: no data is not zero.

    `complete` is False while calls are still being counted, or where groups were left out (`groups` says how many there
    are). `from_calls` is how many seconds of the window were read from calls, not from stored buckets;
    `from_operations` how many were read from tool calls, retrievals and agent runs: all of them, where those are asked for.
    `totals` are rows by span, where these were asked for.
    """

    rows: list[MetricRow]
    groups: int
    complete: bool
    from_calls: float
    totals: list[MetricRow] = field(default_factory=list)
    from_operations: float = 0.0


@dataclass(frozen=True, slots=True)
class VendorUsage:
    """One row of a vendor's own counting: not a call, and never turned into any.

    `kind` is usage or cost; `start` and `end` bound the bucket (half open). `dimensions` is what it is grouped by:
    only rows grouped by the same dimensions can be added up. `measures` are numbers as stated (tokens, requests …).
    `amount` is None for usage.
    """

    provider: str
    kind: str
    start: datetime
    end: datetime
    dimensions: dict[str, str]
    measures: dict[str, Decimal]
    amount: Decimal | None = None
    currency: str | None = None


@dataclass(frozen=True, slots=True)
class ImportProgress:
    """How far an import of a file has come: records that are done, and what was told of them."""

    digest: str
    position: int
    state: dict[str, Any]
