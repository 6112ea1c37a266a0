"""Langfuse: observations and traces as its API, its UI and its blob-storage export write them (v2 to v4).

Fields come in camelCase (API, UI) or in snake_case (blob storage). Older observations name user and session on their
trace alone: traces that were read before are joined to them. Ids of the OpenTelemetry-based SDKs are kept, so that a
call that also came over OTLP is the same call; UUIDs of older SDKs become trace ids as they are.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from holdfast.telemetry.imports import spans, values
from holdfast.telemetry.imports.reader import Ignored, Item, Misfit, Tally, Told, Unmapped
from holdfast.telemetry.model import Attributes, Span

SOURCE: Final = "langfuse"
MOST_TRACES: Final = 1_000_000
"""Traces whose user and session are remembered for their observations."""
OPERATIONS: Final = {
    "GENERATION": "chat",
    "EMBEDDING": "embeddings",
    "TOOL": "execute_tool",
    "RETRIEVER": "retrieval",
    "AGENT": "invoke_agent",
}
TYPES: Final = frozenset((*OPERATIONS, "SPAN", "EVENT", "CHAIN", "EVALUATOR", "GUARDRAIL"))
READ: Final = frozenset(
    (
        *("id", "trace_id", "type", "name", "start_time", "end_time", "parent_observation_id", "level"),
        *("status_message", "version", "environment", "input", "output", "metadata", "model"),
        *("provided_model_name", "model_parameters", "usage_details", "cost_details", "usage", "total_cost"),
        *("calculated_total_cost", "completion_start_time", "time_to_first_token", "prompt_name"),
        *("prompt_version", "user_id", "session_id", "release", "trace_name", "tags", "tool_definitions"),
    )
)
LEFT: Final = frozenset(
    (
        *("project_id", "created_at", "updated_at", "latency", "model_id", "internal_model_id", "prompt_id"),
        *("is_root_observation", "bookmarked", "public", "input_price", "output_price", "total_price"),
        *("usage_pricing_tier_id", "usage_pricing_tier_name", "scores", "html_path", "input_cost"),
        *("output_cost", "input_usage", "output_usage", "total_usage", "total_tokens", "unit", "tool_calls"),
        *("tool_call_names", "calculated_input_cost", "calculated_output_cost", "trace_tags", "input_tokens"),
        *("prompt_tokens", "completion_tokens", "output_tokens", "external_id", "timestamp", "comments"),
        *("is_app_root", "is_deleted", "event_ts", "observation_id", "is_legacy"),
    )
)
"""Known, and either said elsewhere in the record or of no meaning outside Langfuse."""
CACHE_READ: Final = (
    *("input_cached_tokens", "input_cache_read", "cache_read_input_tokens", "input_cache_read_tokens"),
    *("cached_tokens", "cache_read_tokens", "prompt_cached_tokens", "cached_content_token_count"),
)
CACHE_WRITE: Final = (
    *("input_cache_creation", "cache_creation_input_tokens", "input_cache_creation_tokens"),
    *("cache_write_tokens", "input_cache_write", "input_cache_write_tokens", "cache_creation_tokens"),
)
WRITE_5M: Final = ("input_cache_creation_5m", "ephemeral_5m_input_tokens")
WRITE_1H: Final = ("input_cache_creation_1h", "ephemeral_1h_input_tokens")
REASONING: Final = (
    *("output_reasoning_tokens", "output_reasoning", "reasoning_tokens", "reasoning"),
    *("thoughts_token_count", "output_reasoning_token_count"),
)
INPUT: Final = ("input", "input_tokens", "prompt_tokens", "promptTokens")
OUTPUT: Final = ("output", "output_tokens", "completion_tokens", "completionTokens")
TOTAL: Final = ("total", "total_tokens", "totalTokens")
COUNTED: Final = frozenset(
    (*INPUT, *OUTPUT, *TOTAL, *CACHE_READ, *CACHE_WRITE, *WRITE_5M, *WRITE_1H, *REASONING)
)
SPOKEN: Final = {
    "input_audio_tokens": "gen_ai.usage.audio.input_tokens",
    "output_audio_tokens": "gen_ai.usage.audio.output_tokens",
}
_HUMP: Final = re.compile(r"(?<=[a-z0-9])([A-Z])")


class Trace(NamedTuple):
    """What a trace says for its observations."""

    user: str | None
    session: str | None
    name: str | None
    environment: str | None
    release: str | None


class Langfuse:
    """See `reader.Reader`."""

    def __init__(self, told: Told) -> None:
        self.tally = Tally()
        self._told = told
        self._resource = told.resource
        self._traces: dict[str, Trace] = {}
        self._snake: dict[str, str] = {}

    def read(self, record: Any) -> Iterator[Item]:
        """A trace is remembered, and its observations are read where they are inside it; scores are left out."""
        row = self._row(record)
        if isinstance(row.get("observations"), list) and "type" not in row:
            trace = self._remember(row)
            for inner in row["observations"]:
                if isinstance(inner, dict):
                    yield from self._observation(self._row(inner) | {"trace_id": row["id"]}, trace)
            yield Ignored("traces (their observations are the calls)")
        elif "type" in row or "start_time" in row:
            yield from self._observation(row, None)
        elif ("data_type" in row or "score_config_id" in row or "config_id" in row) and "value" in row:
            yield Ignored("scores")
        elif "timestamp" in row and "id" in row:
            self._remember(row)
            yield Ignored("traces (their observations are the calls)")
        else:
            yield Unmapped(
                "it is neither an observation (type, startTime), a trace (timestamp) nor a score: is it from Langfuse?"
            )

    def _row(self, record: Any) -> dict[str, Any]:
        if not isinstance(record, dict):
            raise Misfit("it is no object")
        known = self._snake
        row = {}
        for name, value in record.items():
            plain = known.get(name)
            if plain is None:
                plain = _HUMP.sub(r"_\1", name).lower()
                if len(known) < 10_000:
                    known[name] = plain
            row[plain] = value
        return row

    def _remember(self, row: dict[str, Any]) -> Trace:
        trace = Trace(
            values.text(row.get("user_id")),
            values.text(row.get("session_id")),
            values.text(row.get("name")),
            values.text(row.get("environment")),
            values.text(row.get("release")),
        )
        if len(self._traces) < MOST_TRACES:
            self._traces[str(row.get("id"))] = trace
        else:
            self.tally.remarks[
                "traces too many to be remembered: their observations lack user and session"
            ] += 1
        return trace

    def _observation(self, row: dict[str, Any], trace: Trace | None) -> Iterator[Item]:
        kind = row.get("type")
        if kind not in TYPES:
            raise Misfit(f"its type is {values.shown(kind)}, which is no observation of Langfuse")
        identity, trace_text = row.get("id"), row.get("trace_id")
        if not identity or not isinstance(identity, str):
            raise Misfit("it has no id")
        trace_text = trace_text if isinstance(trace_text, str) and trace_text else identity
        yield self._span(row, str(kind), identity, trace_text, trace or self._traces.get(trace_text))
        left = row.keys() - READ - LEFT
        if left:
            self.tally.fields.update(name for name in left if row[name] not in (None, "", [], {}))

    def _span(
        self, row: dict[str, Any], kind: str, identity: str, trace_text: str, trace: Trace | None
    ) -> Span:
        get = row.get
        start = values.nanoseconds(get("start_time"), "startTime")
        if start is None:
            raise Misfit("it has no startTime")
        end = values.nanoseconds(get("end_time"), "endTime") or start
        attributes: Attributes = {}
        model = values.text(get("provided_model_name") or get("model"))
        operation = OPERATIONS.get(kind)
        if operation:
            attributes["gen_ai.operation.name"] = operation
        self._where(attributes, row, trace)
        if kind in ("GENERATION", "EMBEDDING"):
            self._call(attributes, row, model, start)
        elif kind == "TOOL":
            attributes["gen_ai.tool.name"] = str(get("name") or "")
            _told_whole(attributes, row, "gen_ai.tool.call.arguments", "gen_ai.tool.call.result")
        elif kind == "AGENT" and get("name"):
            attributes["gen_ai.agent.name"] = str(get("name"))
        elif kind == "RETRIEVER":
            _told_whole(attributes, row, "gen_ai.retrieval.query.text", "gen_ai.retrieval.documents")
        else:
            _told_whole(attributes, row, "langfuse.observation.input", "langfuse.observation.output")
        failed = get("level") == "ERROR"
        parent = get("parent_observation_id")
        return spans.make(
            SOURCE,
            (
                values.trace_id(SOURCE, trace_text),
                values.span_id(SOURCE, identity),
                values.span_id(SOURCE, parent) if isinstance(parent, str) and parent else "",
            ),
            str(get("name") or model or kind.lower()),
            (start, end),
            attributes,
            self._resource,
            kind="CLIENT" if kind in ("GENERATION", "EMBEDDING") else "INTERNAL",
            error=str(get("status_message") or "")[:4000] if failed else None,
        )

    def _where(self, attributes: Attributes, row: dict[str, Any], trace: Trace | None) -> None:
        get = row.get
        user, session = values.text(get("user_id")), values.text(get("session_id"))
        name, release = values.text(get("trace_name")), values.text(get("release"))
        environment = values.text(get("environment"))
        if trace is not None:
            user, session, name = user or trace.user, session or trace.session, name or trace.name
            release, environment = release or trace.release, environment or trace.environment
        for attribute, value in (
            ("user.id", user),
            ("gen_ai.conversation.id", session),
            ("holdfast.route", name),
            ("holdfast.release", release),
            ("langfuse.environment", "" if self._told.environment else environment),
            ("gen_ai.prompt.name", values.text(get("prompt_name"))),
            ("gen_ai.prompt.version", values.text(get("prompt_version"))),
            ("langfuse.version", values.text(get("version"))),
        ):
            if value:
                attributes[attribute] = value
        tags = values.parsed(get("tags"), "tags")
        if tags:
            attributes["langfuse.tags"] = tags
        _metadata(attributes, get("metadata"))

    def _call(self, attributes: Attributes, row: dict[str, Any], model: str | None, start: int) -> None:
        get = row.get
        if model:
            attributes["gen_ai.request.model"] = model
        spans.parameters(attributes, values.mapping(get("model_parameters"), "modelParameters"))
        first = values.nanoseconds(get("completion_start_time"), "completionStartTime")
        if first is not None and first >= start:
            attributes["gen_ai.response.time_to_first_chunk"] = (first - start) / 1e9
        usage = values.mapping(get("usage_details"), "usageDetails") or values.mapping(get("usage"), "usage")
        if usage:
            self._usage(attributes, usage)
        cost = values.decimal(_cost(row), "cost")
        if cost is not None and cost >= 0:
            attributes["gen_ai.usage.cost"] = float(cost)
        tools = values.parsed(get("tool_definitions"), "tool_definitions")
        if isinstance(tools, dict):
            tools = [values.parsed(one, "tool_definitions") for one in tools.values()]
        spans.tools(attributes, tools)
        spans.asked(attributes, get("input"))
        spans.answered(attributes, get("output"))

    def _usage(self, attributes: Attributes, stated: dict[str, Any]) -> None:
        """Langfuse keeps cached and reasoning tokens beside input and output; some senders leave them inside.

        The stated total tells which. Without one, Langfuse's own rule holds: a kind of tokens of its own is beside.
        """
        if stated.get("unit") not in (None, "TOKENS", ""):
            self.tally.remarks["usage that is not counted in tokens, left out"] += 1
            return
        counts = {name: number for name, value in stated.items() if (number := _count(value)) is not None}
        given, wrote, total = _one(counts, INPUT), _one(counts, OUTPUT), _one(counts, TOTAL)
        read, write = _one(counts, CACHE_READ), _one(counts, CACHE_WRITE)
        short, long = _one(counts, WRITE_5M), _one(counts, WRITE_1H)
        if write is None and (short is not None or long is not None):
            write = (short or 0) + (long or 0)
        reasoning = _one(counts, REASONING)
        inside = total is not None and total == (given or 0) + (wrote or 0)
        for name, value in (
            ("gen_ai.usage.input_tokens", _whole(given, (read or 0) + (write or 0), inside)),
            ("gen_ai.usage.output_tokens", _whole(wrote, reasoning or 0, inside)),
            ("gen_ai.usage.cache_read.input_tokens", read),
            ("gen_ai.usage.cache_write.input_tokens", write),
            ("holdfast.usage.cache_write_5m_input_tokens", short),
            ("holdfast.usage.cache_write_1h_input_tokens", long),
            ("gen_ai.usage.reasoning.output_tokens", reasoning),
        ):
            if value is not None:
                attributes[name] = value
        self._rest(attributes, counts, inside)

    def _rest(self, attributes: Attributes, counts: dict[str, int], inside: bool) -> None:
        for name in counts.keys() - COUNTED:
            if name in SPOKEN:
                attributes[SPOKEN[name]] = counts[name]
                if not inside:
                    whole = (
                        "gen_ai.usage.input_tokens"
                        if name.startswith("input")
                        else "gen_ai.usage.output_tokens"
                    )
                    attributes[whole] = attributes.get(whole, 0) + counts[name]
            elif counts[name]:
                self.tally.fields[f"usageDetails.{name[:80]}"] += 1


def _count(value: Any) -> int | None:
    return (
        values.whole(value, "a count of usageDetails")
        if not isinstance(value, str) or value[:1].isdigit()
        else None
    )


def _whole(stated: int | None, parts: int, inside: bool) -> int | None:
    """Input or output with its parts; where the whole is not stated, the parts are what is known of it."""
    if stated is None:
        return parts or None
    return stated if inside else stated + parts


def _one(counts: dict[str, int], names: tuple[str, ...]) -> int | None:
    return next((counts[name] for name in names if name in counts), None)


def _cost(row: dict[str, Any]) -> Any:
    """What Langfuse says that the call cost, in US dollars; None where it does not know."""
    details = values.mapping(row.get("cost_details"), "costDetails")
    for value in (details.get("total"), row.get("total_cost"), row.get("calculated_total_cost")):
        if value not in (None, "", 0, "0"):
            return value
    parts = [values.decimal(value) for name, value in details.items() if name != "total"]
    return sum(part for part in parts if part is not None) or None


def _told_whole(attributes: Attributes, row: dict[str, Any], asked: str, answered: str) -> None:
    for name, value in ((asked, row.get("input")), (answered, row.get("output"))):
        if value not in (None, "", [], {}):
            attributes[name] = value if isinstance(value, str) else values.json_text(value)


def _metadata(attributes: Attributes, stated: Any) -> None:
    """Metadata of one's own, as attributes; what the OpenTelemetry SDKs put there is looked through for names we read."""
    if not stated:
        return
    stated = values.parsed(stated, "metadata")
    if not isinstance(stated, dict):
        return
    inner = values.parsed(stated.get("attributes"), "metadata.attributes")
    if isinstance(inner, dict):
        for name, value in inner.items():
            if name.startswith(("holdfast.", "gen_ai.provider", "gen_ai.system", "gen_ai.response.")):
                attributes.setdefault(name, value)
    for name, value in stated.items():
        if name in ("attributes", "resourceAttributes", "scope") or len(name) > 80:
            continue
        if isinstance(value, (str, int, float, bool)) and value != "":
            attributes[f"langfuse.metadata.{name}"] = value
        elif value:
            attributes[f"langfuse.metadata.{name}"] = values.json_text(value)
