"""The shapes of what the doors of calls and traces answer, for the published description of the API."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class CallOut(BaseModel):
    """One call, counted once. Unknown is null; money is a decimal text; `provenance` names each field's source."""

    id: str
    trace_id: str
    span_id: str
    started_at: str
    duration_ms: float
    system: str | None
    environment: str | None
    route: str | None
    agent: str | None
    tenant: str | None
    user: str | None
    session: str | None
    release: str | None
    feature: str | None
    provider: str | None
    request_model: str | None
    response_model: str | None
    operation: str | None
    response_id: str | None
    service_tier: str | None
    kind: str
    status: str
    error_class: str | None
    error_type: str | None
    streaming: bool | None
    ttft_ms: float | None
    input_uncached_tokens: int | None
    input_cache_read_tokens: int | None
    input_cache_write_tokens: int | None
    input_cache_write_5m_tokens: int | None
    input_cache_write_1h_tokens: int | None
    output_tokens: int | None
    reasoning_tokens: int | None
    input_audio_tokens: int | None
    input_image_tokens: int | None
    cache_read_audio_tokens: int | None
    output_audio_tokens: int | None
    output_image_tokens: int | None
    cost_amount: str | None
    cost_currency: str | None
    cost_parts: dict[str, str] | None
    cost_source: str | None
    cost_unknown_reason: str | None
    price_id: str | None
    price_effective_from: str | None
    finish_reasons: list[str]
    refusal: bool | None
    cache_hit: bool | None
    resends: int | None
    parameters: dict[str, Any]
    convention: str | None
    provenance: dict[str, str]
    quality: list[str]
    observations: list[str]
    sample: bool
    attempt: bool
    configuration: str | None


class Calls(BaseModel):
    """Calls, and the cursor of the next page; null on the last."""

    calls: list[CallOut]
    next_cursor: str | None


class Count(BaseModel):
    """Calls and spans, each counted once. `complete` is false while the last arrivals are still being counted."""

    calls: int
    spans: int
    complete: bool


class FacetValue(BaseModel):
    """A value of a dimension (null: unknown), and how many calls have it."""

    value: str | None
    calls: int


class SpanOut(BaseModel):
    """A span with the facts read from it. `content_state` says why there is no content, if so."""

    model_config = ConfigDict(extra="allow")

    span_id: str
    parent_span_id: str | None
    name: str
    kind: str
    span_kind: str
    system: str | None
    environment: str | None
    started_at: str
    start_ns: int
    duration_ms: float
    status: str
    status_message: str | None
    scope: str
    attributes: dict[str, Any]
    resource: dict[str, Any]
    events: list[dict[str, Any]]
    links: list[dict[str, Any]]
    content_state: str
    content: dict[str, Any] | None
    provenance: dict[str, str]
    quality: list[str]
    sample: bool


class EvaluationOut(BaseModel):
    """The result of an evaluation that the sender made. The explanation is empty where content may not be read."""

    model_config = ConfigDict(extra="allow")

    name: str
    at: str
    span_id: str
    response_id: str
    score: float | None
    label: str
    explanation: str
    error_type: str
    system: str
    environment: str


class TraceOut(BaseModel):
    """One trace: its spans in order of start, the calls they make, and its evaluation results."""

    trace_id: str
    spans: list[SpanOut]
    calls: list[CallOut]
    evaluations: list[EvaluationOut] = Field(description="Oldest first.")
