"""One span in, canonical facts out: the entrance of this shelf. Pure; never raises, whatever the span holds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from holdfast.telemetry.conventions import outcome, tokens, values
from holdfast.telemetry.conventions.content import Found, read_content
from holdfast.telemetry.conventions.convention import Convention, Draft, ScopeOverride
from holdfast.telemetry.conventions.dimensions import SERVER_ROUTE
from holdfast.telemetry.conventions.otel_genai import VECTOR_STORES
from holdfast.telemetry.conventions.overrides import override_for
from holdfast.telemetry.conventions.shelf import DIMENSIONS, SHELF, TABLE, TELLING, Alias
from holdfast.telemetry.conventions.vocabulary import finish_reasons
from holdfast.telemetry.model import Attributes, Facts, Kind, Span

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


def read_facts(span: Span, overrides: Mapping[str, ScopeOverride] | None = None) -> Facts:
    """What a span says, in canonical words, whichever convention it was written in.

    The convention is picked by attributes and scope name, never by schema URL. `overrides` corrects how a
    scope (or a dotted prefix of one) counts tokens and goes before the built-in table. Every field that is
    set has its source attribute in `provenance`; what could not be read is named in `quality`. Agent and
    workflow spans may repeat the totals of the calls under them, so only calls carry usage and cost. A stored
    `Facts` is this function of the stored span: reading again gives the same.
    """
    attributes = span.attributes
    if TELLING.isdisjoint(attributes) and not _asks_vector_store(attributes):
        return _plain(span)
    draft = Draft(span)
    _convert(draft, attributes, TABLE)
    _inherit_resource(draft, span.resource)
    _server_route(draft)
    convention = next(c for c in SHELF if c.claims(draft))
    kind = convention.kind(draft)
    found = None if kind is Kind.OTHER and not _has_content(draft) else read_content(draft, kind)
    if kind.is_call:
        _invocation(draft)
        if convention.name == "openinference":
            _raw_answer(draft)
    return _facts(draft, convention, kind, found, overrides)


def _asks_vector_store(attributes: Attributes) -> bool:
    system = attributes.get("db.system.name") or attributes.get("db.system")
    return type(system) is str and system in VECTOR_STORES


def _has_content(draft: Draft) -> bool:
    return any(slot.startswith("content.") for slot in draft.values)


def _plain(span: Span) -> Facts:
    """A span of no generative system: its dimensions, and whether it failed."""
    draft = Draft(span)
    for attributes in (span.attributes, span.resource):
        names = DIMENSION_NAMES & attributes.keys()
        if names:
            _convert(draft, {name: attributes[name] for name in names}, DIMENSIONS)
    if span.kind == "SERVER":
        _server_route(draft)
    facts = Facts(Kind.OTHER, "none", provenance=draft.sources)
    for slot, value in draft.values.items():
        setattr(facts, slot, value)
    if draft.quality:
        facts.quality = tuple(dict.fromkeys(draft.quality))
    if span.status == "error":
        raised = outcome.exception_type(span)
        stated = span.attributes.get("error.type")
        facts.error_type = stated if isinstance(stated, str) and stated else raised
        facts.error_class = outcome.error_class(span, Kind.OTHER, facts.error_type, None, raised)
    return facts


def _convert(draft: Draft, attributes: Attributes, table: Mapping[str, Alias]) -> None:
    """Fill the slots that are still empty from these attributes; of two names for a slot the better ranked."""
    filled, sources = draft.values, draft.sources
    ranks: dict[str, int] = {}
    before = set(filled) if filled else ()
    find = table.get
    for name, value in attributes.items():
        alias = find(name)
        if alias is None:
            continue
        slot, rank, convert = alias
        if slot in before:
            continue
        try:
            converted = convert(value)
        except (ValueError, TypeError, OverflowError, KeyError):
            draft.quality.append(UNREADABLE.get(slot.partition(".")[0], "attribute.unreadable"))
            continue
        if converted is not None and ranks.get(slot, rank) >= rank:
            ranks[slot] = rank
            filled[slot] = converted
            sources[slot] = name


def _inherit_resource(draft: Draft, resource: Attributes) -> None:
    names = DIMENSION_NAMES & resource.keys()
    if names:
        _convert(draft, {name: resource[name] for name in names}, DIMENSIONS)


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


def _invocation(draft: Draft) -> None:
    """Request parameters, model and streaming that OpenInference packs into one JSON attribute."""
    packed = draft.values.get("invocation")
    if not isinstance(packed, str):
        return
    try:
        stated = values.loads(packed)
    except ValueError:
        draft.quality.append("parameters.malformed_json")
        return
    if not isinstance(stated, dict):
        return
    source = draft.sources["invocation"]
    for name, slot in INVOCATION.items():
        if name in stated:
            try:
                _fill(draft, f"parameters.{slot}", values.parameter(stated[name]), source)
            except ValueError:
                draft.quality.append("attribute.unreadable")
    model, stream = stated.get("model"), stated.get("stream")
    _fill(draft, "request_model", model if isinstance(model, str) and model else None, source)
    _fill(draft, "streaming", stream if isinstance(stream, bool) else None, source)


def _raw_answer(draft: Draft) -> None:
    """The response id, served tier and cache lifetimes that OpenInference leaves in the provider's own JSON."""
    raw = draft.values.get("content.raw_output")
    if not isinstance(raw, str) or raw[:1] != "{" or len(raw) > LARGEST_ANSWER:
        return
    try:
        answer = values.loads(raw)
    except ValueError:
        return  # named when the content is read
    for slot, name in (("response_id", "id"), ("service_tier", "service_tier")):
        stated = answer.get(name)
        _fill(draft, slot, stated if isinstance(stated, str) and stated else None, "output.value")
    usage = answer.get("usage")
    split = usage.get("cache_creation") if isinstance(usage, dict) else None
    if isinstance(split, dict) and "usage.input_cache_write" in draft.values:
        for life in ("5m", "1h"):
            number = split.get(f"ephemeral_{life}_input_tokens")
            if type(number) is int and number >= 0:
                _fill(draft, f"usage.input_cache_write_{life}", number, "output.value")


def _facts(
    draft: Draft,
    convention: Convention,
    kind: Kind,
    found: Found | None,
    overrides: Mapping[str, ScopeOverride] | None,
) -> Facts:
    """Put the slots together into Facts."""
    filled, quality = draft.values, draft.quality
    _models(draft)
    facts = Facts(kind, convention.name, provenance=_provenance(draft, kind))
    for slot in FIELDS & filled.keys():
        setattr(facts, slot, filled[slot])
    if kind.is_call:
        facts.parameters = {slot[11:]: v for slot, v in filled.items() if slot.startswith("parameters.")}
        facts.usage = _usage(draft, convention, overrides)
        facts.reported_cost = filled.get("reported_cost")
        _timing(facts, draft)
    said = found.refused if found is not None else None
    if found is not None:
        facts.content = found.content
        quality += found.quality
        if not facts.finish_reasons and found.finish_reasons:
            facts.finish_reasons = finish_reasons(found.finish_reasons) or ()
            facts.provenance["finish_reasons"] = "content"
    facts.refusal = outcome.refusal(facts.finish_reasons, said) if kind.is_call else None
    raised = outcome.exception_type(draft.span) if draft.span.events else None
    facts.error_class = outcome.error_class(
        draft.span, kind, facts.error_type, filled.get("http_status"), raised
    )
    if facts.error_type is None and facts.error_class is not None and raised is not None:
        facts.error_type = raised
        facts.provenance["error_type"] = "exception.type"
    facts.quality = tuple(dict.fromkeys(quality))
    return facts


FIELDS = frozenset(
    (
        "operation",
        "provider",
        "request_model",
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
    )
)
CALLS_ALONE = ("usage.", "parameters.", "reported_cost", "ttft_")
INTERNAL = ("marker.", "invocation", "model_name")


def _provenance(draft: Draft, kind: Kind) -> dict[str, str]:
    unsaid = INTERNAL if kind.is_call else INTERNAL + CALLS_ALONE
    return {slot: name for slot, name in draft.sources.items() if not slot.startswith(unsaid)}


def _models(draft: Draft) -> None:
    """OpenInference's one model name is the answer's where an answer came, else what was asked for."""
    name = draft.values.get("model_name")
    if name is not None:
        source = draft.sources["model_name"]
        _fill(draft, "request_model", name, source)
        if "usage.output" in draft.values or "usage.input" in draft.values:
            _fill(draft, "response_model", name, source)


def _usage(draft: Draft, convention: Convention, overrides: Mapping[str, ScopeOverride] | None) -> Any:
    """Exclusive buckets, counted as the scope counts: caller, built-in table, convention, default, in turn."""
    counts = {slot: n for slot, n in draft.values.items() if slot.startswith("usage.")}
    if not counts:
        return None
    rule = override_for(draft.span.scope_name, overrides)
    if rule is None:
        rule = convention.counting(draft)
    usage, codes = tokens.partition(
        counts, rule.input_includes_cache is not False, rule.output_includes_reasoning is not False
    )
    draft.quality += codes
    return usage


def _timing(facts: Facts, draft: Draft) -> None:
    """Time to the first token in milliseconds, and whether the answer was streamed."""
    filled, span = draft.values, draft.span
    first = filled.get("ttft_seconds")
    if first is not None:
        facts.ttft_ms = first * 1000.0
    elif "ttft_ms" in filled:
        facts.ttft_ms = filled["ttft_ms"]
    else:
        for event in span.events:
            if event.name == "First Token Stream Event" and event.time_ns >= span.start_ns:
                facts.ttft_ms = (event.time_ns - span.start_ns) / 1e6
                facts.provenance["ttft_ms"] = event.name
                break
    if "ttft_seconds" in facts.provenance:
        facts.provenance["ttft_ms"] = facts.provenance.pop("ttft_seconds")
    if facts.streaming is None and "marker.vercel" in filled:
        facts.streaming = filled["marker.vercel"].endswith(".doStream")
        facts.provenance["streaming"] = "ai.operationId"
    if facts.streaming is None and facts.ttft_ms is not None:
        facts.streaming = True
        facts.provenance["streaming"] = facts.provenance["ttft_ms"]
