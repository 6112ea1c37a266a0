"""What of the captured content is kept: all, none, a sample, or a redacted form."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from holdfast.platform.tenancy.model import CaptureMode
from holdfast.telemetry.model import Attributes, Span

Redact = Callable[[str], str]

NONE = "none"  # the sender captured nothing
CAPTURED = "captured"
REDACTED = "redacted"
OFF = "off"
UNSAMPLED = "unsampled"
WITHHELD = "withheld"  # the company's own DLP did not answer: kept nothing rather than too much


@dataclass(frozen=True, slots=True)
class CapturePlan:
    """The policy that holds for one system, ready to use."""

    mode: CaptureMode
    sample_rate: float
    redact: Redact
    clean: Callable[[str], bool] = lambda _: False  # True where `redact` is sure to change nothing


@dataclass(slots=True)
class Captured:
    """A span's attributes and events without content, the content that is kept as JSON text, and its state."""

    attributes: Attributes
    events: list[dict[str, Any]]
    content: str
    state: str


def sampled(trace_id: str, rate: float) -> bool:
    """Whether a trace falls into the sample: by its id, so that all its spans agree, wherever they arrive."""
    try:
        place = int(trace_id[-8:], 16)
    except ValueError:  # of a log record: any text
        place = zlib.crc32(trace_id.encode())
    return place < rate * 0x100000000


def capture(
    span: Span, plan: CapturePlan, is_content: Callable[[str], bool], names: Sequence[str] | None = None
) -> Captured:
    """Splits a span's content off and keeps what the plan allows. `names`: its content attributes, where known."""
    if names is None:
        names = [name for name in span.attributes if is_content(name)]
    kept, content = span.attributes, {}
    if names:
        kept = kept.copy()
        content = {name: kept.pop(name) for name in names}
    events, event_content = _split_events(span, is_content) if span.events else ([], {})
    if not content and not event_content:
        return Captured(kept, events, "", NONE)
    if plan.mode is CaptureMode.OFF:
        return Captured(kept, events, "", OFF)
    if plan.mode is CaptureMode.SAMPLED and not sampled(span.trace_id, plan.sample_rate):
        return Captured(kept, events, "", UNSAMPLED)
    state = CAPTURED
    if plan.mode is not CaptureMode.ON and (event_content or not _clean(content, plan.clean)):
        clean = (redacted(content, plan.redact), redacted(event_content, plan.redact))
        if clean != (content, event_content):
            state = REDACTED
        content, event_content = clean
    stored: dict[str, Any] = {"attributes": content}
    if event_content:
        stored["events"] = event_content
    return Captured(kept, events, msgspec.json.encode(stored).decode(), state)


def _clean(content: Attributes, clean: Callable[[str], bool]) -> bool:
    """One quick look at all texts at once; nearly all that people say is clean."""
    texts = list(content.values())
    try:
        return clean("\n".join(texts))
    except TypeError:  # not texts alone
        return False


def _split_events(
    span: Span, is_content: Callable[[str], bool]
) -> tuple[list[dict[str, Any]], dict[str, Attributes]]:
    """A span's events without content, and the content by the event's place."""
    events: list[dict[str, Any]] = []
    content: dict[str, Attributes] = {}
    for index, event in enumerate(span.events):
        plain: Attributes = {}
        for key, value in event.attributes.items():
            if is_content(key) or (
                is_content(event.name) and key not in ("gen_ai.system", "gen_ai.provider.name")
            ):
                content.setdefault(str(index), {})[key] = value
            else:
                plain[key] = value
        events.append({"name": event.name, "time_ns": event.time_ns, "attributes": plain})
    return events, content


def plain_links(links: list[dict[str, Any]], is_content: Callable[[str], bool]) -> list[dict[str, Any]]:
    """A span's links without content: it has no place there, so it is not kept."""
    return [
        {
            **link,
            "attributes": {k: v for k, v in (link.get("attributes") or {}).items() if not is_content(k)},
        }
        for link in links
    ]


def redacted(value: Any, redact: Redact) -> Any:
    """A value with every text in it redacted, keys left alone."""
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, dict):
        return {key: redacted(inner, redact) for key, inner in value.items()}
    if isinstance(value, list):
        return [redacted(inner, redact) for inner in value]
    return value
