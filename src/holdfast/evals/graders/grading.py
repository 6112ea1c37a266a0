"""What a grader is, and what it says. Most graders are a form for their params and one function, put together here."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import Enum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, Protocol, TypeVar

import msgspec

from holdfast.evals.model import Answer, Case, Expectation, Grade, Json
from holdfast.evals.rules.judging import Judge

if TYPE_CHECKING:
    import httpx2

MOST_CHARACTERS = 1_000_000
"""A longer answer is not judged by its text: some graders would take minutes."""
_NEARLY = 1e-9
"""What a share may miss its bar by: 0.1 + 0.2 is to pass 0.3."""

Fault = tuple[str, str]
"""(place inside params, what is wrong and how to mend it)"""


class Finding(NamedTuple):
    """A score from 0 to 1 before it is held against a bar; None where the grader cannot tell, and `reason` says why."""

    score: float | None
    reason: str = ""
    details: Mapping[str, Any] = {}
    cost: Decimal | None = None  # USD, of a judge


class Reply(NamedTuple):
    """What a judge's model replied; `error` says why there is no text. `cost` in USD, None: not known."""

    text: str
    error: str = ""
    cost: Decimal | None = None
    call_id: str = ""


class Bench(Protocol):
    """How a grader asks judges, about one answer of one run."""

    def judge(self, name: str) -> Judge | None:
        """The judge as it is in force; None where there is none."""

    def ask(self, judge: Judge, messages: list[dict[str, str]], which: str) -> Reply:
        """Asks it, once under `which` however often a run is interrupted."""

    def against(self, case: Case) -> str | None:
        """What the baseline answered to the same case; None where there is nothing to compare with."""

    @property
    def baseline(self) -> str:
        """The run that answers are compared with; empty where there is none."""


@dataclass(frozen=True, slots=True)
class Outside:
    """What graders that leave the process are given. Without it they cannot tell.

    `client` makes an HTTP client that judges the addresses that users give; `credential` turns a credential's name and the
    host that it goes to into its value, and raises HoldfastError where there is none. `bench` is how judges are asked.
    `folder` is where entry points in Python are looked for, `python` the interpreter that runs them.
    """

    client: Callable[[], httpx2.Client] | None = None
    credential: Callable[[str, str], str] | None = None
    bench: Bench | None = None
    folder: Path | None = None
    python: str = sys.executable


NOTHING_OUTSIDE = Outside()


class Grader(Protocol):
    """One way to judge an answer. The same case, expectation and answer give the same grade."""

    @property
    def name(self) -> str:
        """As an expectation names it."""

    @property
    def version(self) -> str:
        """Changes whenever a grade could change."""

    def faults(self, params: Json) -> Iterator[Fault]:
        """What is wrong in params, each with its place and how to mend it; nothing where they are good."""

    def edition(self, params: Json, outside: Outside) -> str:
        """The version, and what the params lead to that is versioned too: a model, a file, another grader."""

    def grade(
        self, case: Case, expectation: Expectation, answer: Answer, outside: Outside = NOTHING_OUTSIDE
    ) -> Grade:
        """What it says of an answer. What it cannot know is a grade without a score, never an error."""


class Reads(Enum):
    """What of an answer a grader needs."""

    WHOLE = "the whole text or all tool calls"
    PART = "a text, be it cut off: it says itself what a part can tell"
    NOTHING = "neither text nor tool calls"


Form = TypeVar("Form", bound=msgspec.Struct)


@dataclass(frozen=True)
class Made(Generic[Form]):
    """A grader made of a form for its params, a check of what the form's types cannot say, and a look at the answer."""

    name: str
    version: str
    form: type[Form]
    look: Callable[[Case, Form, Answer, Outside], Finding]
    check: Callable[[Form], Iterator[Fault]] = field(default=lambda _: iter(()))
    bar: float = 1.0
    """The least score that passes where the expectation names none."""
    reads: Reads = Reads.WHOLE
    under: Callable[[Form, Outside], str] | None = None
    """The version of what it rests on."""

    def faults(self, params: Json) -> Iterator[Fault]:
        try:
            read = self._read(params)
        except msgspec.ValidationError as error:
            yield _placed(str(error), self.form)
        else:
            yield from self.check(read)

    def edition(self, params: Json, outside: Outside) -> str:
        if self.under is None or next(self.faults(params), None):
            return self.version
        return f"{self.version}+{self.under(self._read(params), outside)}"

    def grade(
        self, case: Case, expectation: Expectation, answer: Answer, outside: Outside = NOTHING_OUTSIDE
    ) -> Grade:
        version = self.edition(expectation.params, outside)
        unknown = partial(Grade, self.name, version, None, None)
        if fault := next(self.faults(expectation.params), None):
            return unknown(f"{fault[0]}: {fault[1]}" if fault[0] else fault[1])
        if why := self._unreadable(answer):
            return unknown(why)
        found = self.look(case, self._read(expectation.params), answer, outside)
        if found.score is None:
            return unknown(found.reason, found.details, found.cost)
        score = min(1.0, max(0.0, float(found.score)))
        bar = self.bar if expectation.bar is None else expectation.bar
        passed = score + _NEARLY >= bar
        return Grade(self.name, version, score, passed, found.reason, found.details, found.cost)

    def _read(self, params: Json) -> Form:
        return msgspec.convert(dict(params), self.form)

    def _unreadable(self, answer: Answer) -> str:
        if self.reads is Reads.NOTHING:
            return ""
        if answer.error:
            return f"there is no answer: {answer.error}"
        if answer.truncated and self.reads is Reads.WHOLE:
            return "the answer is cut off"
        if len(answer.text) > MOST_CHARACTERS:
            return f"the answer is longer than {MOST_CHARACTERS:,} characters, which is not judged"
        return ""


_PLACE = re.compile(r"(?s)(.*) - at `\$(?:\.?([^`]*))`$")
_UNKNOWN_FIELD = re.compile(r"contains unknown field `([^`]*)`")
_MISSING = re.compile(r"missing required field `([^`]*)`")


def _placed(said: str, form: type[msgspec.Struct]) -> Fault:
    """A message of the library, as a place and a sentence."""
    placed = _PLACE.match(said)
    words, place = (placed[1], placed[2]) if placed else (said, "")
    if missing := _MISSING.search(words):
        return _joined(place, missing[1]), "this is missing"
    if unknown := _UNKNOWN_FIELD.search(words):
        known = f"; known are {', '.join(sorted(form.__struct_fields__))}" if not place else ""
        return _joined(place, unknown[1]), f"there is no such field{known}"
    return place, words[:1].lower() + words[1:]


def _joined(*steps: str) -> str:
    return ".".join(step for step in steps if step)


class Bounds(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """From `least` to `most`, both included; at least one of them."""

    least: float | None = None
    most: float | None = None

    def hold(self, value: float) -> bool:
        """Whether a value lies within."""
        return (self.least is None or value >= self.least) and (self.most is None or value <= self.most)

    def faults(self, place: str) -> Iterator[Fault]:
        """That it bounds nothing, or that nothing can lie within."""
        if self.least is None and self.most is None:
            yield place, "say least, most, or both"
        elif self.least is not None and self.most is not None and self.least > self.most:
            yield place, f"nothing is both at least {self.least:g} and at most {self.most:g}"

    def __str__(self) -> str:
        if self.least is None or self.most is None:
            return f"at least {self.least:g}" if self.most is None else f"at most {self.most:g}"
        return f"from {self.least:g} to {self.most:g}"


def one_or_several(value: str | list[str]) -> list[str]:
    """Params that take one text or a list of them."""
    return [value] if isinstance(value, str) else value


def empty_list(place: str, values: str | list[str]) -> Iterator[Fault]:
    """A list of which one is to fit must not be empty."""
    if not isinstance(values, str) and not values:
        yield place, "list at least one"
