"""One span in, canonical facts out: the entrance of this shelf. Pure; never raises, whatever the span holds."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

from holdfast.telemetry.conventions import byway, outcome, requested, tokens, values
from holdfast.telemetry.conventions.byway import Glimpse
from holdfast.telemetry.conventions.content import read_content
from holdfast.telemetry.conventions.convention import Convention, Draft, ScopeOverride
from holdfast.telemetry.conventions.dimensions import SERVER_ROUTE
from holdfast.telemetry.conventions.otel_genai import VECTOR_STORES
from holdfast.telemetry.conventions.overrides import override_for
from holdfast.telemetry.conventions.shelf import DIMENSIONS, SHELF, TABLE, TELLING, Alias
from holdfast.telemetry.conventions.vocabulary import OPERATION_OF, finish_reasons
from holdfast.telemetry.model import RETRIEVAL, Attributes, Facts, Kind, Span

UNREADABLE: Mapping[str, str] = {
    "usage": "usage.not_a_count",
    "reported_cost": "cost.not_an_amount",
    "ttft_seconds": "time.not_a_duration",
    "ttft_ms": "time.not_a_duration",
}
INVOCATION = {
    "temperature": "temperature",
    "top_p": "top_p",
    "top_k": "top_k",
    "max_tokens": "max_tokens",
    "max_completion_tokens": "max_tokens",
    "max_output_tokens": "max_tokens",
    "n": "choice_count",
    "stop": "stop_sequences",
    "stop_sequences": "stop_sequences",
    "frequency_penalty": "frequency_penalty",
    "presence_penalty": "presence_penalty",
    "seed": "seed",
    "reasoning_effort": "reasoning_level",
    "encoding_format": "encoding_formats",
    "dimensions": "dimensions",
}
LARGEST_ANSWER = 262_144  # characters of a raw provider answer that are worth parsing for its id
DIMENSION_NAMES = DIMENSIONS.keys()
KIND_MARKERS = {
    "openinference": "marker.openinference",
    "vercel": "marker.vercel",
    "openllmetry": "marker.traceloop_request",
}


ENTITY_SLOTS = {Kind.AGENT: "agent", Kind.TOOL: "tool_name", Kind.WORKFLOW: "route"}
"""What the name on a traceloop decorator is, by kind of span."""


def read_facts(span: Span, overrides: Mapping[str, ScopeOverride] | None = None) -> Facts:
    """What a span says, in canonical words, whichever convention it was written in.

    The convention is picked by attributes and scope name, never by schema URL. `overrides` corrects how a
    scope (or a dotted prefix of one) counts tokens and goes before the built-in table. Every field that is
    set has its source attribute in `provenance`; what could not be read is named in `quality`. Agent and
    workflow spans may repeat the totals of the calls under them, so only calls carry usage and cost.
    """
    return Reader(overrides).read(span)


class Reader:
    """Reads the spans of one batch; it reads a resource once for all the spans that follow with the same one.

    Hold it no longer than the batch: it remembers the last resource by identity.
    """

    def __init__(self, overrides: Mapping[str, ScopeOverride] | None = None) -> None:
        self._overrides = overrides
        self._resource: Attributes | None = None
        self._stated = Draft(NO_SPAN)

    def read(self, span: Span) -> Facts:
        """See read_facts."""
        self._read_resource(span.resource)
        attributes = span.attributes
        if (
            TELLING.isdisjoint(attributes)
            and not span.told
            and not _asks_vector_store(attributes)
            and not span.scope_name.startswith("openlit.")  # says nothing but its name when a request failed
        ):
            return _plain(span, self._stated)
        draft, convention, kind = self._draft(span)
        found = read_content(draft, kind) if kind is not Kind.OTHER or draft.content else None
        seen = byway.glimpse(found, span.told, kind)
        facts = _facts(draft, convention, kind, seen)
        if found is not None:
            facts.content = found.content
        facts.told = byway.kept(seen, kind, documents="documents" in draft.content, draft=draft)
        if kind.is_call:
            _measure(facts, draft, convention, self._overrides)
        elif kind is Kind.RETRIEVAL:
            find(facts, seen)
        return facts

    def outline(self, span: Span) -> tuple[Facts, Draft, Convention]:
        """The facts of a generative span but for its usage and what its content says; how they were come by."""
        self._read_resource(span.resource)
        draft, convention, kind = self._draft(span)
        facts = _facts(draft, convention, kind, None)
        if kind.is_call:
            _timing(facts, draft)
        return facts, draft, convention

    def stated(self, resource: Attributes) -> Hashable:
        """What a resource states, in a form that equals that of a resource which states the same."""
        self._read_resource(resource)
        stated = self._stated
        return tuple(stated.values.items()), tuple(stated.sources.items()), tuple(stated.quality)

    def _read_resource(self, resource: Attributes) -> None:
        if resource is not self._resource:
            self._resource = resource
            self._stated = Draft(NO_SPAN)
            _convert(self._stated, resource, DIMENSIONS)

    def _draft(self, span: Span) -> tuple[Draft, Convention, Kind]:
        draft = Draft(span)
        _convert(draft, span.attributes, TABLE)
        _inherit(draft, self._stated)
        _server_route(draft)
        for convention in SHELF:
            if convention.claims(draft):
                break
        told = span.told
        if told:
            byway.before(draft, told)
        kind = convention.kind(draft)
        if kind.is_call and "invocation" in draft.values:
            _invocation(draft)
        if kind.is_call and convention.name == "openinference":
            _raw_answer(draft)
        if kind.is_call and "data_source" in draft.values:
            _setting(draft, "data_source", draft.values["data_source"], draft.sources["data_source"])
        elif kind is Kind.RETRIEVAL:
            _fill(draft, "data_source", draft.values.get("marker.collection"), "db.collection.name")
            _fill(draft, "documents", draft.values.get("marker.returned_rows"), "db.response.returned_rows")
        if told and kind.is_call:
            byway.after(draft, told)
        return draft, convention, kind


NO_SPAN = Span("", "", "", "", "", 0, 0, "", "", "", "", {}, {})


def _asks_vector_store(attributes: Attributes) -> bool:
    system = attributes.get("db.system.name") or attributes.get("db.system")
    return type(system) is str and system in VECTOR_STORES


def _plain(span: Span, stated: Draft) -> Facts:
    """A span of no generative system: its dimensions, and whether it failed."""
    names = DIMENSION_NAMES & span.attributes.keys()
    facts = Facts(Kind.OTHER, "none", provenance=stated.sources.copy())
    for slot, value in stated.values.items():
        setattr(facts, slot, value)
    if names or span.kind == "SERVER":
        draft = Draft(span)
        _convert(draft, {name: span.attributes[name] for name in names}, DIMENSIONS)
        if "route" not in stated.values:
            _server_route(draft)
        for slot, value in draft.values.items():
            setattr(facts, slot, value)
        facts.provenance.update(draft.sources)
        facts.quality = tuple(dict.fromkeys(draft.quality))
    if span.status == "error":
        raised = outcome.exception_type(span)
        named = span.attributes.get("error.type")
        facts.error_type = named if isinstance(named, str) and named else raised
        facts.error_class = outcome.error_class(span, Kind.OTHER, facts.error_type, None, raised)
    return facts


def _convert(draft: Draft, attributes: Attributes, table: Mapping[str, Alias]) -> None:
    """Fill slots from these attributes; of two names for one slot the better ranked holds."""
    sources, hidden, find, unknown = draft.sources, draft.hidden, table.get, draft.unknown
    groups = (draft.values, draft.usage, draft.parameters, draft.content)  # as in shelf.GROUPS
    ranks: dict[str, int] = {}
    for name, value in attributes.items():
        alias = find(name)
        if alias is None:
            unknown.append(name)
            continue
        slot, group, place, key, told, rank, convert = alias
        try:
            converted = convert(value)
        except (ValueError, TypeError, OverflowError, KeyError):
            draft.quality.append(UNREADABLE.get(slot) or UNREADABLE.get(group) or "attribute.unreadable")
            continue
        if converted is None:
            continue
        filled = groups[place]
        if key in filled and ranks.get(slot, 0) < rank:
            continue
        if rank:
            ranks[slot] = rank
        filled[key] = converted
        if told:
            sources[slot] = name
        else:
            hidden[slot] = name


def _inherit(draft: Draft, stated: Draft) -> None:
    """Dimensions of the resource, where the span states none itself."""
    filled = draft.values
    for slot, value in stated.values.items():
        if slot not in filled:
            filled[slot] = value
            draft.sources[slot] = stated.sources[slot]
    draft.quality += stated.quality


def _server_route(draft: Draft) -> None:
    """The route of the request that a SERVER span answers, where no better name for it is stated."""
    if draft.span.kind == "SERVER" and "route" not in draft.values:
        route = draft.span.attributes.get(SERVER_ROUTE)
        if isinstance(route, str) and 0 < len(route) <= values.LONGEST_NAME:
            draft.values["route"] = route
            draft.sources["route"] = SERVER_ROUTE


def _fill(draft: Draft, slot: str, value: Any, source: str) -> None:
    if value is not None and slot not in draft.values:
        draft.values[slot] = value
        draft.sources[slot] = source


def _setting(draft: Draft, slot: str, value: Any, source: str) -> None:
    """Where and how a request has documents looked up."""
    draft.parameters[f"{RETRIEVAL}{slot}"] = value
    draft.sources[f"parameters.{RETRIEVAL}{slot}"] = source


def find(facts: Facts, seen: Glimpse | None) -> None:
    """What the content of a retrieval says of its outcome, where its attributes do not."""
    for name, value in seen.retrieved._asdict().items() if seen is not None else ():
        if value is not None and getattr(facts, name) is None:
            setattr(facts, name, value)
            facts.provenance = {**facts.provenance, name: "content"}


def _invocation(draft: Draft) -> None:
    """Request parameters, model and streaming that OpenInference packs into one JSON attribute."""
    packed = draft.values["invocation"]
    try:
        stated = values.loads(packed) if isinstance(packed, str) else packed
    except ValueError:
        draft.quality.append("parameters.malformed_json")
        return
    if not isinstance(stated, dict):
        return
    source = draft.hidden["invocation"]
    for name in INVOCATION.keys() & stated.keys():
        slot = INVOCATION[name]
        try:
            value = values.parameter(stated[name])
        except ValueError:
            draft.quality.append("attribute.unreadable")
            continue
        if value is not None and slot not in draft.parameters:
            draft.parameters[slot] = value
            draft.sources[f"parameters.{slot}"] = source
    model, stream = stated.get("model"), stated.get("stream")
    for slot, value in requested.of_parameters(stated).items():
        _setting(draft, slot, value, source)
    _fill(draft, "request_model", model if isinstance(model, str) and model else None, source)
    _fill(draft, "streaming", stream if isinstance(stream, bool) else None, source)


def _raw_answer(draft: Draft) -> None:
    """The response id, served tier and cache lifetimes that OpenInference leaves in the provider's own JSON."""
    raw = draft.content.get("raw_output")
    if not isinstance(raw, str) or raw[:1] != "{" or len(raw) > LARGEST_ANSWER:
        return
    try:
        answer = values.loads(raw)
    except ValueError:
        return  # named when the content is read
    for slot, name in (("response_id", "id"), ("service_tier", "service_tier")):
        stated = answer.get(name)
        if isinstance(stated, str) and 0 < len(stated) <= values.LONGEST_NAME:
            _fill(draft, slot, stated, "output.value")
    usage = answer.get("usage")
    split = usage.get("cache_creation") if isinstance(usage, dict) else None
    if isinstance(split, dict) and "input_cache_write" in draft.usage:
        for life in ("5m", "1h"):
            number = split.get(f"ephemeral_{life}_input_tokens")
            if type(number) is int and number >= 0:
                draft.usage[f"input_cache_write_{life}"] = number
                draft.sources[f"usage.input_cache_write_{life}"] = "output.value"


FIELDS = frozenset(
    (
        "operation",
        "provider",
        "request_model",
        "asked_model",
        "response_model",
        "response_id",
        "streaming",
        "finish_reasons",
        "error_type",
        "service_tier",
        "system",
        "environment",
        "route",
        "agent",
        "tenant",
        "user",
        "session",
        "release",
        "feature",
        "tool_name",
        "sample",
        "cache_hit",
        "resends",
        "data_source",
    )
)
RETRIEVALS_ALONE = frozenset(("documents", "top_score", "newest_ns"))
RETRIEVAL_FIELDS = FIELDS | RETRIEVALS_ALONE
CALLS_ALONE = ("parameters.", "usage.", "reported_cost", "ttft_")
"""What only calls have; the first of it retrievals have too."""


def _facts(draft: Draft, convention: Convention, kind: Kind, seen: Glimpse | None) -> Facts:
    """Put the slots together into Facts, all but the measures of calls."""
    filled = draft.values
    if "model_name" in filled:
        _models(draft)
    if "marker.entity" in filled and kind in ENTITY_SLOTS:
        _fill(draft, ENTITY_SLOTS[kind], filled["marker.entity"], draft.hidden["marker.entity"])
    if "operation" not in filled and kind in OPERATION_OF:
        _fill(
            draft,
            "operation",
            OPERATION_OF[kind],
            draft.hidden.get(KIND_MARKERS.get(convention.name, ""), ""),
        )
    facts = Facts(kind, convention.name)
    retrieval = kind is Kind.RETRIEVAL
    for slot in (RETRIEVAL_FIELDS if retrieval else FIELDS) & filled.keys():
        setattr(facts, slot, filled[slot])
    facts.provenance = draft.sources
    if kind.is_call or retrieval:
        facts.parameters = draft.parameters
    if not kind.is_call or not RETRIEVALS_ALONE.isdisjoint(draft.sources):
        others = CALLS_ALONE if not kind.is_call else ()
        others = others[1:] if retrieval else (*others, *RETRIEVALS_ALONE)
        facts.provenance = {s: name for s, name in draft.sources.items() if not s.startswith(others)}
    refused = None
    if seen is not None:
        refused = seen.refused
        draft.quality += seen.quality
        if not facts.finish_reasons and seen.finish_reasons:
            facts.finish_reasons = finish_reasons(seen.finish_reasons) or ()
            facts.provenance["finish_reasons"] = "content"
    if kind.is_call:
        facts.refusal = outcome.refusal(facts.finish_reasons, refused)
        if seen is not None:
            facts.instructions, facts.tools = seen.instructions, seen.tools
            configure(facts, seen)
    _failure(facts, draft)
    if draft.quality:
        facts.quality = tuple(dict.fromkeys(draft.quality))
    return facts


def configure(facts: Facts, seen: Glimpse) -> None:
    """Where and how the tools that a request offers look for documents."""
    for slot, value in seen.settings.items():
        name = f"{RETRIEVAL}{slot}"
        if name not in facts.parameters:
            facts.parameters = {**facts.parameters, name: value}
            facts.provenance = {**facts.provenance, f"parameters.{name}": "content"}


def _failure(facts: Facts, draft: Draft) -> None:
    span, http_status = draft.span, draft.values.get("http_status")
    if span.status != "error" and http_status is None and facts.error_type is None:
        return
    raised = outcome.exception_type(span) if span.events else None
    facts.error_class = outcome.error_class(span, facts.kind, facts.error_type, http_status, raised)
    if facts.error_type is None and facts.error_class is not None and raised is not None:
        facts.error_type = raised
        facts.provenance["error_type"] = "exception.type"


def _models(draft: Draft) -> None:
    """OpenInference's one model name is the answer's where an answer came, else what was asked for."""
    name, source = draft.values["model_name"], draft.hidden["model_name"]
    _fill(draft, "request_model", name, source)
    if "output" in draft.usage or "input" in draft.usage:
        _fill(draft, "response_model", name, source)


def _measure(
    facts: Facts, draft: Draft, convention: Convention, overrides: Mapping[str, ScopeOverride] | None
) -> None:
    """What only calls have: tokens, cost, time to the first token."""
    facts.reported_cost = draft.values.get("reported_cost")
    if draft.usage:
        # The scope's rule, in turn: the caller's, the built-in table's, the convention's, the default.
        rule = override_for(draft.span.scope_name, overrides) or convention.counting(draft)
        facts.usage, codes = tokens.partition(
            draft.usage, rule.input_includes_cache is not False, rule.output_includes_reasoning is not False
        )
        if codes:
            facts.quality = tuple(dict.fromkeys((*facts.quality, *codes)))
    _timing(facts, draft)


def _timing(facts: Facts, draft: Draft) -> None:
    """Time to the first token in milliseconds, and whether the answer was streamed."""
    filled, span, provenance = draft.values, draft.span, facts.provenance
    if "ttft_seconds" in filled:
        facts.ttft_ms = filled["ttft_seconds"] * 1000.0
        provenance["ttft_ms"] = provenance.pop("ttft_seconds")
    elif "ttft_ms" in filled:
        facts.ttft_ms = filled["ttft_ms"]
    elif span.events:
        first = next((e for e in span.events if e.name == "First Token Stream Event"), None)
        if first is not None and first.time_ns >= span.start_ns:
            facts.ttft_ms = (first.time_ns - span.start_ns) / 1e6
            provenance["ttft_ms"] = first.name
    if facts.streaming is None and "marker.vercel" in filled:
        facts.streaming = filled["marker.vercel"].endswith(".doStream")
        provenance["streaming"] = draft.hidden["marker.vercel"]
    if facts.streaming is None and facts.ttft_ms is not None:
        facts.streaming = True
        provenance["streaming"] = provenance["ttft_ms"]
