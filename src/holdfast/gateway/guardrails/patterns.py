"""A list of patterns of the workspace's own, by RE2: a pattern from outside must not be able to take for ever."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import re2

from holdfast.gateway.guardrails.judging import Finding
from holdfast.gateway.model import Rule
from holdfast.kernel.errors import Invalid

MOST_RULES = 100
LONGEST = 1000
Pattern = Any
"""A compiled pattern; the library has no types."""
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,39}")
_MEMORY = 4 << 20
"""Bytes that one pattern may take, compiled and while it searches."""


class Patterns:
    """Finds what any of the rules matches."""

    __slots__ = ("_patterns",)

    def __init__(self, patterns: Sequence[tuple[str, Pattern]]) -> None:
        self._patterns = tuple(patterns)

    def find(self, text: str, said: int) -> list[Finding]:
        """Each match under its rule's name; of two that overlap, the one that begins first (or is longer)."""
        raw = text.encode("utf-8", "replace")
        spans = sorted(
            (match.start(), -match.end(), name)
            for name, pattern in self._patterns
            for match in pattern.finditer(raw)
            if match.end() > match.start()
        )
        found: list[Finding] = []
        last, characters, counted = 0, 0, 0
        for start, negative_end, name in spans:
            end = -negative_end
            if start < last:
                continue
            characters += len(raw[counted:start].decode("utf-8", "ignore"))
            begin, last = characters, end
            characters += len(raw[start:end].decode("utf-8", "ignore"))
            counted = end
            found.append(Finding(begin, characters, name))
        return found


def patterns(rules: Sequence[Rule]) -> Patterns:
    """A judge of a list of rules. Raises Invalid with the rule."""
    if not 0 < len(rules) <= MOST_RULES:
        raise Invalid(f"list from 1 to {MOST_RULES} rules, each with name and pattern", where="rules")
    made = []
    for index, rule in enumerate(rules):
        if not _NAME.fullmatch(rule.name):
            raise Invalid(
                "a rule's name is letters, digits and . _ -, 40 characters at most",
                where=f"rules[{index}].name",
            )
        made.append((rule.name, compiled(rule.pattern, f"rules[{index}].pattern")))
    return Patterns(made)


def compiled(pattern: str, where: str) -> Pattern:
    """A pattern that matches UTF-8. Raises Invalid."""
    if not pattern or len(pattern) > LONGEST:
        raise Invalid(f"a pattern has from 1 to {LONGEST} characters", where=where)
    options = re2.Options()
    options.log_errors = False
    options.max_mem = _MEMORY
    try:
        found = re2.compile(pattern, options)
    except re2.error as error:
        said = error.args[0] if error.args else "unreadable"
        words = said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
        raise Invalid(
            f"this is no pattern in RE2's syntax, which has no look-around and no back-references: {words[:200]}",
            where=where,
        ) from None
    except UnicodeEncodeError:
        raise Invalid("a pattern is well-formed Unicode", where=where) from None
    if found.search(b"") is not None:
        raise Invalid("this matches where there is nothing; let it match at least one character", where=where)
    return found
