"""Anybody's records, by a mapping file: our field ← where it stands in the record."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from holdfast.kernel.errors import Invalid
from holdfast.telemetry.imports import spans, values
from holdfast.telemetry.imports.reader import Item, Misfit, Tally, Told
from holdfast.telemetry.model import Attributes, Span

TEXTS: Final = {
    "provider": "gen_ai.provider.name",
    "model": "gen_ai.request.model",
    "response_model": "gen_ai.response.model",
    "response_id": "gen_ai.response.id",
    "operation": "gen_ai.operation.name",
    "service_tier": "gen_ai.response.service_tier",
    "system": "holdfast.system",
    "environment": "holdfast.environment",
    "route": "holdfast.route",
    "agent": "holdfast.agent",
    "tenant": "holdfast.tenant",
    "user": "user.id",
    "session": "gen_ai.conversation.id",
    "release": "holdfast.release",
    "feature": "holdfast.feature",
    "prompt_name": "gen_ai.prompt.name",
    "prompt_version": "gen_ai.prompt.version",
}
COUNTS: Final = {
    "input_tokens": "gen_ai.usage.input_tokens",
    "output_tokens": "gen_ai.usage.output_tokens",
    "total_tokens": "gen_ai.usage.total_tokens",
    "cache_read_tokens": "gen_ai.usage.cache_read.input_tokens",
    "cache_write_tokens": "gen_ai.usage.cache_write.input_tokens",
    "cache_write_5m_tokens": "holdfast.usage.cache_write_5m_input_tokens",
    "cache_write_1h_tokens": "holdfast.usage.cache_write_1h_input_tokens",
    "reasoning_tokens": "gen_ai.usage.reasoning.output_tokens",
}
OTHERS: Final = (
    *("id", "trace_id", "parent_id", "time", "end", "duration", "ttft", "cost", "input", "output"),
    *(
        "system_prompt",
        "tools",
        "parameters",
        "finish_reason",
        "streaming",
        "error",
        "error_type",
        "status_code",
    ),
)
FIELDS: Final = (*OTHERS, *TEXTS, *COUNTS, *spans.PARAMETERS)
TOP: Final = (
    "source",
    "fields",
    "constants",
    "time_unit",
    "duration_unit",
    "input_includes_cache",
    "attributes",
)


@dataclass(frozen=True, slots=True)
class FieldMap:
    """A mapping file as it was read: paths and constants by field."""

    source: str
    paths: dict[str, tuple[str, ...]]
    constants: dict[str, Any]
    time_unit: str = ""
    duration_unit: str = "ms"
    input_includes_cache: bool = True
    attributes: dict[str, tuple[str, ...]] = field(default_factory=dict)


def mapping_of(stated: Any) -> FieldMap:
    """A mapping from its YAML. Raises Invalid, which names the fault and how to mend it."""
    where = "mapping"
    if not isinstance(stated, Mapping) or not isinstance(stated.get("fields"), Mapping):
        raise Invalid(
            "a mapping file has `fields:` with our field names and paths in the record", where=where
        )
    unknown = [str(name) for name in stated if name not in TOP]
    if unknown:
        raise Invalid(f"a mapping file has no {unknown[0]!r}; it has {', '.join(TOP)}", where=where)
    constants = dict(stated.get("constants") or {})
    for name in (*stated["fields"], *constants):
        if name not in FIELDS:
            raise Invalid(f"there is no field {name!r}; there are {', '.join(FIELDS)}", where=where)
    paths = {name: _path(path) for name, path in stated["fields"].items()}
    for name in ("id", "time"):
        if name not in paths and not (name == "time" and name in constants):
            raise Invalid(f"the mapping needs the field {name!r}: where does a record say it?", where=where)
    for name in ("time_unit", "duration_unit"):
        if stated.get(name) not in (None, *values.UNITS):
            raise Invalid(f"{name} is one of {', '.join(values.UNITS)}", where=where)
    return FieldMap(
        str(stated.get("source") or "jsonl"),
        paths,
        constants,
        stated.get("time_unit") or "",
        stated.get("duration_unit") or "ms",
        stated.get("input_includes_cache") is not False,
        {str(name): _path(path) for name, path in (stated.get("attributes") or {}).items()},
    )


def _path(path: Any) -> tuple[str, ...]:
    if not isinstance(path, (str, int)) or str(path) == "":
        raise Invalid(
            f"{values.shown(path)} is no path; write it like usage.prompt_tokens or choices.0.text",
            where="mapping",
        )
    return tuple(str(path).split("."))


def at(record: Any, path: tuple[str, ...]) -> Any:
    """What stands at a path; None where nothing does. A name with dots in it is found too. JSON in text is looked into."""
    if isinstance(record, dict) and len(path) > 1 and ".".join(path) in record:
        return record[".".join(path)]
    found = record
    for step in path:
        if isinstance(found, str) and found[:1] in ("{", "["):
            found = values.parsed(found, step)
        if isinstance(found, dict):
            found = found.get(step)
        elif isinstance(found, list) and step.lstrip("-").isdecimal():
            place = int(step)
            found = found[place] if -len(found) <= place < len(found) else None
        else:
            return None
    return found


class Mapped:
    """See `reader.Reader`."""

    def __init__(self, mapping: FieldMap, told: Told) -> None:
        self.tally = Tally()
        self._mapping = mapping
        self._told = told
        self._resource = told.resource
        self._used = {path[0] for path in (*mapping.paths.values(), *mapping.attributes.values())} | {
            ".".join(path) for path in (*mapping.paths.values(), *mapping.attributes.values())
        }

    def read(self, record: Any) -> Iterator[Item]:
        """One call."""
        if not isinstance(record, dict):
            raise Misfit("it is no object")
        yield self._span(record)
        left = record.keys() - self._used
        if left:
            self.tally.fields.update(str(name) for name in left if record[name] not in (None, "", [], {}))

    def _span(self, record: dict[str, Any]) -> Span:
        mapping = self._mapping
        stated = dict(mapping.constants)
        for name, path in mapping.paths.items():
            value = at(record, path)
            if value is not None and value != "":
                stated[name] = value
        get = stated.get
        identity = values.text(get("id"))
        if identity is None:
            raise Misfit(f"it has no id at {'.'.join(mapping.paths['id'])}")
        start = values.nanoseconds(get("time"), "time", mapping.time_unit) or self._told.at_ns
        if not start:
            raise Misfit(f"it has no time at {'.'.join(mapping.paths.get('time', ()))}")
        attributes = self._attributes(record, stated)
        error = None
        if get("error") not in (None, "", False):
            error = str(get("error"))[:4000]
            attributes.setdefault("error.type", "error")
        source = mapping.source
        trace, parent = values.text(get("trace_id")), values.text(get("parent_id"))
        return spans.make(
            source,
            (
                values.trace_id(source, trace or identity),
                values.span_id(source, identity),
                values.span_id(source, parent) if parent else "",
            ),
            f"{attributes['gen_ai.operation.name']} {attributes.get('gen_ai.request.model', '')}".strip(),
            (start, self._end(stated, start)),
            attributes,
            self._resource,
            error=error,
        )

    def _end(self, stated: dict[str, Any], start: int) -> int:
        end = values.nanoseconds(stated.get("end"), "end", self._mapping.time_unit)
        if end is not None:
            return end
        lasted = values.decimal(stated.get("duration"), "duration")
        return start if lasted is None else start + int(lasted * values.UNITS[self._mapping.duration_unit])

    def _attributes(self, record: dict[str, Any], stated: dict[str, Any]) -> Attributes:
        get = stated.get
        attributes: Attributes = {"gen_ai.operation.name": "chat"}
        _put(attributes, TEXTS, stated, values.text)
        if self._told.system:
            attributes.pop("holdfast.system", None)
        if self._told.environment:
            attributes.pop("holdfast.environment", None)
        _put(attributes, COUNTS, stated, values.whole)
        if not self._mapping.input_includes_cache and "gen_ai.usage.input_tokens" in attributes:
            for name in ("cache_read_tokens", "cache_write_tokens"):
                attributes["gen_ai.usage.input_tokens"] += attributes.get(COUNTS[name], 0)
        spans.parameters(attributes, {name: get(name) for name in spans.PARAMETERS if name in stated})
        spans.parameters(attributes, values.mapping(get("parameters"), "parameters"))
        spans.tools(attributes, get("tools"))
        spans.asked(attributes, get("input"))
        spans.answered(attributes, get("output"))
        if get("system_prompt"):
            attributes["gen_ai.system_instructions"] = values.json_text([str(get("system_prompt"))])
        _measures(attributes, stated, values.UNITS[self._mapping.duration_unit])
        for name, path in self._mapping.attributes.items():
            value = at(record, path)
            if value not in (None, ""):
                attributes[name] = (
                    value if isinstance(value, (str, int, float, bool)) else values.json_text(value)
                )
        return attributes


def _put(
    attributes: Attributes, names: Mapping[str, str], stated: dict[str, Any], convert: Callable[[Any], Any]
) -> None:
    for name, attribute in names.items():
        if name in stated:
            value = convert(stated[name])
            if value is not None:
                attributes[attribute] = value


def _measures(attributes: Attributes, stated: dict[str, Any], unit: int) -> None:
    get = stated.get
    cost, first = values.decimal(get("cost"), "cost"), values.decimal(get("ttft"), "ttft")
    if cost is not None and cost >= 0:
        attributes["gen_ai.usage.cost"] = float(cost)
    if first is not None and first >= 0:
        attributes["gen_ai.response.time_to_first_chunk"] = float(first * unit / 10**9)
    reason = values.parsed(get("finish_reason"), "finish_reason")
    if reason:
        attributes["gen_ai.response.finish_reasons"] = reason if isinstance(reason, list) else [str(reason)]
    streaming = values.flag(get("streaming"))
    if streaming is not None:
        attributes["gen_ai.request.stream"] = streaming
    if get("error_type"):
        attributes["error.type"] = str(get("error_type"))
    status = values.whole(get("status_code"), "status_code")
    if status is not None and 100 <= status < 600:
        attributes["http.response.status_code"] = status
