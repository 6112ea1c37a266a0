"""What the calls of a system should say, and the line of code that makes them say it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

DONE_BELOW: Final = 0.01
"""A fact that fewer calls lack than this share is covered."""


@dataclass(frozen=True, slots=True)
class Fact:
    """Something that calls should say: what it is good for, and the lines that add it, by language.

    `attributes`: the names of OpenTelemetry that the lines set, so that they can be held against what is read.
    `optional`: it does not apply to every system.
    """

    name: str
    label: str
    good_for: str
    lines: tuple[tuple[str, str], ...]
    attributes: tuple[str, ...] = ()
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Covered:
    """A fact with how many of how many calls lack it; `lacking` None: nobody can say. `why` says more where it helps."""

    fact: Fact
    lacking: int | None
    of: int
    why: str = ""

    @property
    def share(self) -> float | None:
        """The share of calls that lack it; None where it is unknown or there are no calls."""
        return None if self.lacking is None or not self.of else min(self.lacking / self.of, 1.0)

    @property
    def state(self) -> str:
        """done, partly, missing, or unknown."""
        if self.share is None:
            return "unknown"
        if self.share < DONE_BELOW:
            return "done"
        return "missing" if self.share > 1 - DONE_BELOW else "partly"


def _set(name: str, value: str) -> tuple[tuple[str, str], ...]:
    return (
        ("Python", f'span.set_attribute("{name}", "{value}")'),
        ("JavaScript", f'span.setAttribute("{name}", "{value}");'),
    )


def _resource(name: str, value: str) -> tuple[tuple[str, str], ...]:
    return (
        ("Environment of the process", f"OTEL_RESOURCE_ATTRIBUTES={name}={value}"),
        ("Python", f'Resource.create({{"{name}": "{value}"}})'),
        ("JavaScript", f'resourceFromAttributes({{ "{name}": "{value}" }})'),
    )


def _dimension(
    name: str, label: str, good_for: str, attribute: str, value: str, *, optional: bool = False
) -> Fact:
    return Fact(name, label, good_for, _set(attribute, value), (attribute,), optional)


FACTS: Final[Sequence[Fact]] = (
    Fact(
        "environment",
        "Environment",
        "Production is told apart from tests.",
        _resource("deployment.environment.name", "production"),
        ("deployment.environment.name",),
    ),
    Fact(
        "release",
        "Release",
        "A change is seen where it began.",
        _resource("service.version", "2026.11.2"),
        ("service.version",),
    ),
    _dimension(
        "route", "Route", "Figures by type of request; the table of routes.", "holdfast.route", "triage"
    ),
    _dimension(
        "tenant", "Tenant", "Cost and errors by your customer.", "holdfast.tenant", "northwind", optional=True
    ),
    _dimension("user", "User", "Cost per user; a person's data can be erased.", "user.id", "u-4711"),
    _dimension(
        "session", "Session", "A conversation is read as a whole; cost per session.", "session.id", "s-0815"
    ),
    _dimension(
        "agent", "Agent", "Steps and cost by agent.", "gen_ai.agent.name", "claims-agent", optional=True
    ),
    _dimension(
        "feature", "Feature", "Cost by part of the product.", "holdfast.feature", "summary", optional=True
    ),
    Fact(
        "usage",
        "Tokens",
        "Without tokens there is no cost.",
        (
            ("OpenAI, streamed answers", 'stream_options={"include_usage": True}'),
            ("Python", 'span.set_attribute("gen_ai.usage.input_tokens", usage.prompt_tokens)'),
            ("JavaScript", 'span.setAttribute("gen_ai.usage.input_tokens", usage.prompt_tokens);'),
        ),
        ("gen_ai.usage.input_tokens",),
    ),
    Fact(
        "cost",
        "Cost",
        "Budgets and cost figures hold for priced calls alone.",
        (
            ("Python", 'span.set_attribute("gen_ai.provider.name", "openai")'),
            ("Python", 'span.set_attribute("gen_ai.response.model", answer.model)'),
            ("JavaScript", 'span.setAttribute("gen_ai.response.model", answer.model);'),
        ),
        ("gen_ai.provider.name", "gen_ai.response.model"),
    ),
    Fact(
        "ttft",
        "First token",
        "How long people wait for a streamed answer to begin.",
        (
            ("Python (seconds)", 'span.set_attribute("gen_ai.response.time_to_first_chunk", first - began)'),
            (
                "JavaScript (seconds)",
                'span.setAttribute("gen_ai.response.time_to_first_chunk", first - began);',
            ),
        ),
        ("gen_ai.response.time_to_first_chunk",),
    ),
    Fact(
        "finish_reason",
        "Finish reason",
        "Refusals and answers that were cut short are seen.",
        (
            ("Python", 'span.set_attribute("gen_ai.response.finish_reasons", [choice.finish_reason])'),
            ("JavaScript", 'span.setAttribute("gen_ai.response.finish_reasons", [choice.finish_reason]);'),
        ),
        ("gen_ai.response.finish_reasons",),
    ),
    Fact(
        "content",
        "Prompts and answers",
        "A bad answer can be read, judged, and made a test.",
        (
            (
                "Environment of the process",
                "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT=span_only",
            ),
            ("Python, by hand", 'span.set_attribute("gen_ai.input.messages", json.dumps(messages))'),
            ("JavaScript, by hand", 'span.setAttribute("gen_ai.input.messages", JSON.stringify(messages));'),
        ),
        ("gen_ai.input.messages",),
    ),
)
"""Every fact, in the order in which a sender would add them."""

_ORDER: Mapping[str, int] = {"missing": 0, "partly": 1, "unknown": 2, "done": 3}


def checklist(lacking: Mapping[str, int | None], of: Mapping[str, int]) -> list[Covered]:
    """Every fact with how far calls say it, what is missing first.

    `lacking` and `of` are numbers of calls by a fact's name: those that lack it, and those that could say it.
    """
    made = [Covered(fact, lacking.get(fact.name), of.get(fact.name, 0)) for fact in FACTS]
    return sorted(made, key=lambda one: (_ORDER[one.state], one.fact.optional))
