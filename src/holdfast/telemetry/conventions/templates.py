"""Reading many spans quickly: what spans of one shape have in common is read once and remembered.

A service sends spans of few shapes: the same attribute names, of which a handful decide what the span is (operation,
provider, models, markers) and the rest only carry values along (ids, token counts, parameters, content). The facts
that follow from the deciding values are a template; each further span fills in what it carries. Wherever a value is
not of the plain form that the template takes for granted, the span is read in full, so the facts are always those
of `reading.read_facts`; a property test holds them to it. Content itself is not kept in the facts: at ingest only what
it says by the way (a refusal, a finish reason, a fault) is of interest.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import isfinite
from typing import Any, Final

from holdfast.telemetry.conventions import byway, outcome, tokens, values
from holdfast.telemetry.conventions.content import glance, is_content
from holdfast.telemetry.conventions.convention import ScopeOverride
from holdfast.telemetry.conventions.flattened import PREFIXES
from holdfast.telemetry.conventions.overrides import override_for
from holdfast.telemetry.conventions.reading import Reader, configure, find
from holdfast.telemetry.conventions.shelf import TABLE, TELLING
from holdfast.telemetry.conventions.values import LONGEST_NAME, MOST_TOKENS
from holdfast.telemetry.conventions.vocabulary import finish_reasons
from holdfast.telemetry.model import Attributes, Facts, Kind, Span

MOST_SHAPES: Final = 2_000
MOST_TEMPLATES: Final = 8_000
"""Bounds of what is remembered; at one of them all is forgotten, which costs one full reading of each again."""
MOST_NAMES: Final = 64
LONGEST_NAMES: Final = 4_000
LONGEST_DECIDING: Final = 1_000
"""Characters of a shape's names together, and of a deciding value: what is longer is read in full every time."""

CARRIED: Final = ("response_id", "user", "session", "tenant")
"""Fields of Facts that a short text goes into as it came; it decides nothing."""
PRESENT: Final = ("marker.tool_call",)
"""Markers that tell by being there, whatever they say."""
SCALARS: Final = frozenset((str, int, float, bool))
_DECIDED_BY_MORE: Final = (
    "error_type",
    "http_status",
    "marker.database",
    "marker.database_operation",
    "marker.collection",
    "marker.returned_rows",
    "documents",
    "top_score",
    "newest_ns",
)
"""Slots whose meaning depends on more than attributes (on the span's status, name or events), or that are rare."""
_PLACES: Final = {name: place for place, name in enumerate(Facts.__struct_fields__)}
_USAGE, _TTFT, _COST, _PARAMETERS, _QUALITY, _REFUSAL, _REASONS, _PROVENANCE, _INSTRUCTIONS, _TOOLS, _TOLD = (
    _PLACES[name]
    for name in (
        "usage",
        "ttft_ms",
        "reported_cost",
        "parameters",
        "quality",
        "refusal",
        "finish_reasons",
        "provenance",
        "instructions",
        "tools",
        "told",
    )
)


@dataclass(slots=True)
class Shape:
    """What follows from the attribute names alone. Pairs are of a key or a place, and the attribute's name."""

    content_names: tuple[str, ...]
    quick: bool
    deciding: tuple[str, ...] = ()
    reasons: str = ""  # the attribute that lists finish reasons
    present: tuple[str, ...] = ()
    carried: tuple[tuple[int, str], ...] = ()
    counts: tuple[tuple[str, str], ...] = ()
    parameters: tuple[tuple[str, str], ...] = ()
    content: tuple[tuple[str, str], ...] = ()
    duration: tuple[float, str] | None = None  # milliseconds of one unit, and where it is stated
    cost: str = ""
    templates: dict[Any, Template] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Template:
    """What the deciding values make of a span: the fields of its Facts, to be completed."""

    fields: list[Any]
    kind: Kind
    is_call: bool
    rule: tuple[bool, bool]  # input includes cache, output includes reasoning


class Templates:
    """What is remembered of spans seen. One for a process; threads may share it."""

    def __init__(self, overrides: Mapping[str, ScopeOverride] | None = None) -> None:
        self.overrides = overrides
        self._shapes: dict[tuple[str, ...], Shape] = {}
        self._resources: dict[Any, int] = {}
        self._made = 0

    def shape(self, span: Span) -> Shape:
        """The shape of a span."""
        key = (span.kind, span.scope_name, *span.attributes)
        found = self._shapes.get(key)
        if found is None:
            found = _shape(span)
            if len(key) <= MOST_NAMES and sum(map(len, key)) <= LONGEST_NAMES:
                if len(self._shapes) >= MOST_SHAPES:
                    self._forget()
                self._shapes[key] = found
            else:
                found.quick = False
        return found

    def resource(self, key: Any) -> int:
        """A number for what a resource states; equal for equals while they are remembered."""
        number = self._resources.get(key)
        if number is None:
            if len(self._resources) >= MOST_TEMPLATES:
                self._resources = {}
                self._forget()
            number = self._resources[key] = len(self._resources)
        return number

    def keep(self, shape: Shape, key: Any, template: Template) -> None:
        """Remembers a template."""
        if self._made >= MOST_TEMPLATES:
            self._forget()
            return
        self._made += 1
        shape.templates[key] = template

    def _forget(self) -> None:
        self._shapes, self._made = {}, 0


class QuickReader:
    """Reads the spans of one batch with what `Templates` remembers. See `reading.Reader`."""

    def __init__(self, templates: Templates) -> None:
        self._templates = templates
        self._full = Reader(templates.overrides)
        self._resource: Attributes | None = None
        self._stated = -1

    def read(self, span: Span) -> tuple[Facts, tuple[str, ...]]:
        """The facts of a span without its content, and the names of its attributes that carry content."""
        shape = self._templates.shape(span)
        facts = self._quickly(span, shape) if shape.quick else None
        if facts is None:
            facts = self._full.read(span)
            facts.content = None
        return facts, shape.content_names

    def _quickly(self, span: Span, shape: Shape) -> Facts | None:
        if span.events or span.status == "error" or span.told:
            return None
        if span.resource is not self._resource:
            self._resource = span.resource
            self._stated = self._templates.resource(self._full.stated(span.resource))
        attributes = span.attributes
        deciding = tuple(map(attributes.__getitem__, shape.deciding))
        reasons = attributes[shape.reasons] if shape.reasons else None
        key = (self._stated, deciding, tuple(map(type, deciding)), _frozen(reasons))
        try:
            template = shape.templates.get(key)
        except TypeError:  # a list among the deciding values
            return None
        if template is None:
            if not _rememberable(deciding):
                return None
            template = self._template(span, shape)
            facts = _filled(template, shape, attributes)
            if facts is not None:  # else a carried value is at fault, and the template tells of it
                self._templates.keep(shape, key, template)
            return facts
        return _filled(template, shape, attributes)

    def _template(self, span: Span, shape: Shape) -> Template:
        facts, draft, convention = self._full.outline(span)
        rule = (True, True)
        if facts.kind.is_call:
            said = override_for(span.scope_name, self._templates.overrides) or convention.counting(draft)
            rule = said.input_includes_cache is not False, said.output_includes_reasoning is not False
        fields = [getattr(facts, name) for name in _PLACES]
        return Template(fields, facts.kind, facts.kind.is_call, rule)


def _filled(template: Template, shape: Shape, attributes: Attributes) -> Facts | None:
    """The template with what this span carries; None where a value of it is not of the plain form."""
    fields = template.fields.copy()
    content = _texts(shape, attributes, fields)
    if content is None:
        return None
    found = glance(content, template.kind) if content else None
    seen = byway.glimpse(found, None, template.kind)
    codes: list[str] = list(seen.quality) if seen is not None else []
    counts = _counts(shape, attributes)
    told = template.is_call or template.kind is Kind.RETRIEVAL
    if counts is None or not _parameters(shape, attributes, fields, told):
        return None
    if not _measured(fields, shape, attributes, template.is_call):
        return None
    if template.is_call and counts:
        fields[_USAGE], more = tokens.partition(counts, *template.rule)
        codes += more
    if seen is not None and seen.finish_reasons and not fields[_REASONS]:
        fields[_REASONS] = finish_reasons(seen.finish_reasons) or ()
        fields[_PROVENANCE] = {**fields[_PROVENANCE], "finish_reasons": "content"}
    if template.is_call:
        fields[_REFUSAL] = outcome.refusal(fields[_REASONS], None if seen is None else seen.refused)
        if seen is not None:
            fields[_INSTRUCTIONS], fields[_TOOLS] = seen.instructions, seen.tools
    fields[_TOLD] = byway.kept(seen, template.kind, documents="documents" in content)
    if codes:
        fields[_QUALITY] = tuple(dict.fromkeys((*fields[_QUALITY], *codes)))
    facts = Facts(*fields)
    if seen is not None and template.is_call:
        configure(facts, seen)
    elif template.kind is Kind.RETRIEVAL:
        find(facts, seen)
    return facts


def _texts(shape: Shape, attributes: Attributes, fields: list[Any]) -> dict[str, str] | None:
    """Fills in the carried names; returns the content by slot, or None where a text is not plain."""
    for name in shape.present:
        text = attributes[name]
        if type(text) is not str or not 0 < len(text) <= LONGEST_NAME:
            return None
    for place, name in shape.carried:
        text = attributes[name]
        if type(text) is not str or not 0 < len(text) <= LONGEST_NAME:
            return None
        fields[place] = text
    content = {}
    for slot, name in shape.content:
        said = attributes[name]
        if type(said) is not str or not said:
            return None
        content[slot] = said
    return content


def _counts(shape: Shape, attributes: Attributes) -> dict[str, int] | None:
    counts = {}
    for slot, name in shape.counts:
        count = attributes[name]
        if type(count) is not int or not 0 <= count <= MOST_TOKENS:
            return None
        counts[slot] = count
    return counts


def _parameters(shape: Shape, attributes: Attributes, fields: list[Any], told: bool) -> bool:
    if not shape.parameters:
        return True
    parameters = fields[_PARAMETERS].copy()
    for slot, name in shape.parameters:
        parameter = attributes[name]
        if type(parameter) not in SCALARS:
            return False
        parameters[slot] = parameter
    if told:
        fields[_PARAMETERS] = parameters
    return True


def _measured(fields: list[Any], shape: Shape, attributes: Attributes, is_call: bool) -> bool:
    """Fills in a call's time to the first token and reported cost; False where one is not plain."""
    if shape.duration is not None:
        unit, name = shape.duration
        stated = attributes[name]
        if type(stated) is not float or not isfinite(stated) or stated < 0:
            return False
        if is_call:
            fields[_TTFT] = stated * unit
    if shape.cost:
        try:
            amount = values.amount(attributes[shape.cost])
        except ValueError:
            return False
        if amount is None:
            return False
        if is_call:
            fields[_COST] = amount
    return True


def _frozen(reasons: Any) -> Any:
    return tuple(reasons) if type(reasons) is list else reasons


def _rememberable(deciding: tuple[Any, ...]) -> bool:
    """Floats are equal that are not the same (0.0 and -0.0), and long texts are not worth their room."""
    return all(
        type(one) is not float and (type(one) is not str or len(one) <= LONGEST_DECIDING) for one in deciding
    )


def _shape(span: Span) -> Shape:
    names = span.attributes.keys()
    shape = Shape(tuple(name for name in names if is_content(name)), quick=False)
    if TELLING.isdisjoint(names) or span.kind == "SERVER":
        return shape
    slots: dict[str, list[str]] = {}
    for name in names:
        alias = TABLE.get(name)
        if alias is not None:
            slots.setdefault(alias.slot, []).append(name)
        elif name.startswith(PREFIXES):
            return shape
    if any(slot in slots for slot in _DECIDED_BY_MORE):
        return shape
    if "marker.openinference" in slots and "content.raw_output" in slots:
        return shape
    if "marker.provider_metadata" in slots or span.scope_name.startswith("openlit"):
        return shape  # what they carry decides what else of it is taken as known
    shape.quick = _sort(shape, slots)
    return shape


def _sort(shape: Shape, slots: dict[str, list[str]]) -> bool:
    """Puts each slot's attributes where they belong; False where a carried value is stated twice."""
    deciding: list[str] = []
    present: list[str] = []
    carried, counts, parameters, content = [], [], [], []
    for slot, found in slots.items():
        group, _, key = slot.partition(".")
        plain = slot in CARRIED or slot in PRESENT or group in ("usage", "parameters", "content")
        plain = plain or slot in ("finish_reasons", "ttft_seconds", "ttft_ms", "reported_cost")
        if not plain:
            deciding += found
            continue
        if len(found) > 1:
            return False
        name = found[0]
        if slot in PRESENT:
            present.append(name)
        elif slot in CARRIED:
            carried.append((_PLACES[slot], name))
        elif group == "usage":
            counts.append((key, name))
        elif group == "parameters":
            parameters.append((key, name))
        elif group == "content":
            content.append((key, name))
        elif slot == "finish_reasons":
            shape.reasons = name
        elif slot == "reported_cost":
            shape.cost = name
        elif shape.duration is not None:
            return False
        else:
            shape.duration = (1000.0 if slot == "ttft_seconds" else 1.0, name)
    shape.deciding, shape.present = tuple(deciding), tuple(present)
    shape.carried, shape.counts = tuple(carried), tuple(counts)
    shape.parameters, shape.content = tuple(parameters), tuple(content)
    return True
