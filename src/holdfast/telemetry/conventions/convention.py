"""What a convention is: the names it writes, the spans it claims, what kind of work a span of it stands for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from holdfast.telemetry.model import Kind, Span


@dataclass(frozen=True, slots=True)
class ScopeOverride:
    """How one instrumentation counts tokens where it differs from the OpenTelemetry GenAI rule.

    None leaves the rule as it is: input includes cache reads and writes, output includes reasoning.
    """

    input_includes_cache: bool | None = None
    output_includes_reasoning: bool | None = None


@dataclass(slots=True)
class Draft:
    """One span while it is being read: converted values by slot, and the attribute that each came from.

    A slot is a field of Facts or a marker of one convention (in `values`), a token count (`usage.input`), a
    request parameter (`parameters.seed`) or a captured text (`content.query`), held without the prefix.
    """

    span: Span
    values: dict[str, Any] = field(default_factory=dict)
    usage: dict[str, int] = field(default_factory=dict)
    parameters: dict[str, Any] = field(default_factory=dict)
    content: dict[str, Any] = field(default_factory=dict)
    sources: dict[str, str] = field(default_factory=dict)  # whole slot -> attribute name, of what Facts tells
    hidden: dict[str, str] = field(default_factory=dict)  # the same of markers and content
    unknown: list[str] = field(default_factory=list)  # attribute names that no convention lists
    quality: list[str] = field(default_factory=list)
    faults: list[str] = field(
        default_factory=list
    )  # those of `quality` that an attribute of content is to blame for


class Convention(Protocol):
    """One tracing convention. Stateless; its methods do no I/O and change nothing but the draft."""

    @property
    def name(self) -> str:
        """Stored in Facts.convention."""

    @property
    def aliases(self) -> Mapping[str, tuple[str, ...]]:
        """Slot -> attribute names of this convention that fill it, the best first."""

    def claims(self, draft: Draft) -> bool:
        """Whether the span was written in this convention, judged by attributes and scope name alone."""

    def kind(self, draft: Draft) -> Kind:
        """What the span stands for. Asked once, when the span is claimed; so it may also put right in the draft
        what this convention is known to state elsewhere, or to state without having measured it."""

    def counting(self, draft: Draft) -> ScopeOverride:
        """How this convention counts tokens on this span."""
