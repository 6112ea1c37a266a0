"""The online rules: a rule list made ready, and held against one answer after another.

All patterns of a list are one automaton (`re2.Set`): one pass over an answer says which of them match at all, and only
those are looked up place by place. What needs the embedding model is in `heads`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import re2

from holdfast.evals.rules.review import Detector, Dimension, Found, Looked, Minutes, Policy, Rates, Rule
from holdfast.evals.rules.review_bundled import RULES
from holdfast.evals.rules.review_judging import check_judges
from holdfast.kernel.errors import Invalid
from holdfast.text import detectors

MOST_RULES = 200
MOST_PATTERNS = 200
"""Of one rule."""
LONGEST_PATTERN = 1000
MOST_SPOTS = 20
"""Places of one finding."""
LONGEST = 100_000
"""Characters of an answer that are looked at; the rest is not known to be clean."""
_MEMORY = 64 << 20
_LARGEST = 200_000
"""Instructions of all patterns together: the automaton of so many fits into its memory, and never gives up in the midst."""
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,59}")
_MARKERS = {kind: f"[{kind.upper()}]" for kind in detectors.KINDS}
_NUMBER = re.compile(r"\d[\d.,]*\d")
_UNGROUPED = {ord(mark): None for mark in ".,"}
"""1,200 and 1200 are one number."""
Pattern = Any
"""A compiled pattern; the library has no types."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What is looked at. `text` None: it is not known, and `why` says why. `whole`: nothing of it is missing.

    `given` is all that the model was given to read; `masked`: personal data was replaced by markers before it was kept.
    """

    text: str | None
    given: str = ""
    documents: tuple[str, ...] = ()
    whole: bool = True
    masked: bool = False
    why: str = ""


def in_force(policy: Policy) -> tuple[Rule, ...]:
    """The rules of a policy, the bundled ones among them where it says so."""
    own = {one.name for one in policy.rules}
    return (*policy.rules, *(one for one in RULES if policy.bundled and one.name not in own))


def read_policy(document: Any) -> Policy:
    """A policy from parsed YAML or JSON. Raises Invalid with the place and what to do."""
    try:
        policy = msgspec.convert(document, Policy)
    except msgspec.ValidationError as error:
        said, _, place = str(error).partition(" - at `$")
        raise Invalid(said[:1].lower() + said[1:], where=place.rstrip("`").lstrip(".") or None) from None
    _check(policy)
    return policy


def _check(policy: Policy) -> None:
    if len(policy.rules) > MOST_RULES:
        raise Invalid(f"a workspace has at most {MOST_RULES} rules", where="rules")
    names = [one.name for one in policy.rules]
    for place, rule in enumerate(policy.rules):
        _check_rule(rule, f"rules[{place}]", names.count(rule.name))
    for name in ("sure", "likely", "second_look", "raise_at"):
        _check_share(getattr(policy, name), name)
    if policy.likely > policy.sure:
        raise Invalid("likely begins below sure", where="likely")
    for where, rates in [
        ("sampling", policy.sampling),
        *((f"routes.{k}", v) for k, v in policy.routes.items()),
    ]:
        _check_rates(rates, where)
    for severity, minutes in policy.due.items():
        _check_minutes(minutes, f"due.{severity}")
    check_judges(policy.judges)
    if not 1 <= policy.sampled_due <= 525_600:
        raise Invalid("from 1 minute to a year", where="sampled_due")
    OnlineRules(in_force(policy))


def _check_rule(rule: Rule, at: str, alike: int) -> None:
    if not _NAME.fullmatch(rule.name):
        raise Invalid("a name is up to 60 of a-z, 0-9 and -", where=f"{at}.name")
    if alike > 1:
        raise Invalid(f"two rules are called {rule.name}; rename one", where=f"{at}.name")
    _check_share(rule.confidence, f"{at}.confidence")
    if bool(rule.patterns) == (rule.detector is not None):
        raise Invalid("a rule has either patterns or a detector", where=at)
    if len(rule.patterns) > MOST_PATTERNS:
        raise Invalid(f"a rule has at most {MOST_PATTERNS} patterns", where=f"{at}.patterns")
    for number, pattern in enumerate(rule.patterns):
        _compiled(pattern, f"{at}.patterns[{number}]")


def _check_share(value: float, where: str) -> None:
    if not 0 <= value <= 1:
        raise Invalid("a share from 0 to 1", where=where)


def _check_rates(rates: Rates, where: str) -> None:
    for name in ("heads", "asked", "people"):
        _check_share(getattr(rates, name), f"{where}.{name}")


def _check_minutes(minutes: Minutes, where: str) -> None:
    for name in ("sure", "likely", "doubtful"):
        if not 0 <= getattr(minutes, name) <= 525_600:
            raise Invalid("from 0 (nobody is asked) to 525600 minutes, a year", where=f"{where}.{name}")


def _options() -> Any:
    options = re2.Options()
    options.log_errors = False
    options.case_sensitive = False
    options.max_mem = _MEMORY
    return options


def _compiled(pattern: str, where: str) -> Pattern:
    if not pattern or len(pattern) > LONGEST_PATTERN:
        raise Invalid(f"a pattern has from 1 to {LONGEST_PATTERN} characters", where=where)
    try:
        found = re2.compile(pattern, _options())  # type: ignore[no-untyped-call]
    except re2.error as error:
        said = error.args[0] if error.args else "unreadable"
        words = said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
        raise Invalid(
            "this is no pattern in RE2's syntax, which has no look-around and no back-references: "
            + words[:200],
            where=where,
        ) from None
    except UnicodeEncodeError:
        raise Invalid("a pattern is well-formed Unicode", where=where) from None
    if found.search("") is not None:
        raise Invalid("this matches where there is nothing; let it match at least one character", where=where)
    return found


class OnlineRules:
    """A rule list, compiled. Safe from several threads."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self.rules = tuple(rules)
        self._versions = {one.name: one.version for one in self.rules}
        self._patterns: list[tuple[Rule, Pattern]] = []
        self._any = re2.Set.SearchSet(_options())  # type: ignore[no-untyped-call]
        for rule in self.rules:
            for number, pattern in enumerate(rule.patterns):
                self._patterns.append((rule, _compiled(pattern, f"{rule.name}.patterns[{number}]")))
                self._any.Add(pattern)
        if sum(pattern.programsize for _, pattern in self._patterns) > _LARGEST:
            raise Invalid(
                "these patterns are too large together; shorten counted repetitions such as {0,1000}",
                where="rules",
            )
        if self._patterns:
            self._any.Compile()
        self._by_route: dict[str, _Plan] = {}

    def version(self, rule: Rule) -> str:
        """Of one of its rules."""
        return self._versions[rule.name]

    def plan(self, route: str) -> _Plan:
        """What is looked for on a route."""
        found = self._by_route.get(route)
        if found is None:
            mine = [one for one in self.rules if not one.routes or route in one.routes]
            found = _Plan(
                frozenset(one.name for one in mine),
                tuple(one for one in mine if one.detector is not None and not one.detector.is_head),
                tuple(one for one in mine if one.detector is not None and one.detector.is_head),
                frozenset(one.dimension for one in mine if one.detector is None or not one.detector.is_head),
            )
            if len(self._by_route) >= 10_000:
                self._by_route.clear()
            self._by_route[route] = found
        return found

    def look(self, answer: Answer, route: str) -> Looked:
        """Every rule but the heads, held against one answer."""
        plan = self.plan(route)
        if answer.text is None:
            return Looked(unknown=dict.fromkeys(plan.dimensions, answer.why or "the answer is not known"))
        text = answer.text[:LONGEST]
        found = self._matches(text, plan)
        unknown: dict[Dimension, str] = {}
        for rule in plan.cheap:
            spots, why = _PERFORMED[rule.detector](answer, text)  # type: ignore[index]
            if spots:
                found.append(self.made(rule, rule.confidence, spots))
            elif why:
                unknown[rule.dimension] = why
        if not answer.whole or len(answer.text) > LONGEST:
            unknown |= dict.fromkeys(plan.dimensions, "only a part of the answer is there")
        flagged = {one.dimension for one in found}
        unknown = {dimension: why for dimension, why in unknown.items() if dimension not in flagged}
        return Looked(tuple(found), plan.dimensions - flagged - unknown.keys(), unknown)

    def _matches(self, text: str, plan: _Plan) -> list[Found]:
        if not self._patterns or not (numbers := self._any.Match(text)):
            return []
        spots: dict[str, tuple[Rule, set[tuple[int, int]]]] = {}
        for number in sorted(numbers):
            rule, pattern = self._patterns[number]
            if rule.name in plan.names:
                _, mine = spots.setdefault(rule.name, (rule, set()))
                mine |= {match.span() for match in pattern.finditer(text) if match.end() > match.start()}
        return [self.made(rule, rule.confidence, _apart(mine)) for rule, mine in spots.values() if mine]

    def made(self, rule: Rule, confidence: float, spots: Sequence[tuple[int, int]]) -> Found:
        """A finding of one of its rules."""
        version = self._versions[rule.name]
        places = tuple(spots[:MOST_SPOTS])
        return Found(rule.name, version, rule.dimension, rule.severity, confidence, rule.basis, places)


@dataclass(frozen=True, slots=True)
class _Plan:
    """Rules of one route: their names, the cheap detectors, the heads, and the dimensions that need no head."""

    names: frozenset[str]
    cheap: tuple[Rule, ...]
    heads: tuple[Rule, ...]
    dimensions: frozenset[Dimension]


def _apart(spots: set[tuple[int, int]]) -> list[tuple[int, int]]:
    """Spots in order; those that overlap are one."""
    joined: list[tuple[int, int]] = []
    for start, end in sorted(spots):
        if joined and start < joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return joined


def _leaks(answer: Answer, text: str) -> tuple[list[tuple[int, int]], str]:
    """Personal data and secrets that the answer has of its own: what the model was given to read is no leak of it.

    Where such data was masked before it was kept, its marker stands for it; whether that is the same as a marker in what
    was given cannot be told.
    """
    spots, why = [], ""
    if not detectors.clean(text):
        given = "\n".join((answer.given, *answer.documents)).casefold()
        spots = [
            (one.start, one.end)
            for one in detectors.find(text)
            if text[one.start : one.end].casefold() not in given
        ]
    if answer.masked and "[" in text:
        read = "\n".join((answer.given, *answer.documents))
        for marker in _MARKERS.values():
            if marker not in text:
                continue
            if marker in read:
                why = "personal data was masked before the call was kept, here and in what was asked"
                continue
            spots += [match.span() for match in re.finditer(re.escape(marker), text)]
    return sorted(spots), why


def _unsupported_numbers(answer: Answer, text: str) -> tuple[list[tuple[int, int]], str]:
    """Numbers of two digits or more that stand neither in the documents nor in what was asked."""
    if not answer.documents:
        return [], "the trace has no retrieved documents"
    numbers = [
        match for match in _NUMBER.finditer(text) if not text[match.start() - 1 : match.start()].isalnum()
    ]
    if not numbers:
        return [], ""
    read = "\n".join((answer.given, *answer.documents)).translate(_UNGROUPED)
    return [match.span() for match in numbers if not _stands_in(match[0].translate(_UNGROUPED), read)], ""


def _stands_in(number: str, read: str) -> bool:
    """Whether a number stands in a text by itself, not as a part of a longer one."""
    at = read.find(number)
    while at >= 0:
        end = at + len(number)
        if not read[at - 1 : at].isdigit() and not read[end : end + 1].isdigit():
            return True
        at = read.find(number, at + 1)
    return False


_PERFORMED = {Detector.PII: _leaks, Detector.NUMBERS: _unsupported_numbers}


def together(parts: Sequence[Looked]) -> Looked:
    """What several ways of looking say of one answer: found by one is found, unknown to one is not clean."""
    found = tuple(one for part in parts for one in part.found)
    flagged = {one.dimension for one in found}
    unknown = {d: why for part in parts for d, why in part.unknown.items() if d not in flagged}
    clean = frozenset(d for part in parts for d in part.clean) - flagged - unknown.keys()
    return Looked(found, clean, unknown)
