"""Finds personal data and secrets in text, and takes them out. Pure; nothing is sent anywhere.

By form and checksum alone: a name in prose is not found. Built to be cheap on clean text (a few quick checks)
and never slow on hostile text (no pattern without a bound).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

from holdfast.kernel.errors import Invalid
from holdfast.text import numbers, secrets

KINDS = ("email", "phone", "iban", "card", "key")
_ALL = frozenset(KINDS)

_DOMAIN = re.compile(r"@(?:[^\W_](?:[\w-]{0,62})\.){1,8}[^\W\d_]{2,63}(?![\w-])")
_USER_INFO = re.compile(r"://[^\s/:@]{0,100}:\Z")
_LOCAL_PUNCTUATION = frozenset("!#$%'*+-^_~.")
_LOCAL_LENGTH = 64
_NO_DIGITS = bytes(byte for byte in range(256) if not 48 <= byte <= 57)


@dataclass(frozen=True, slots=True)
class Finding:
    """Something found: `text[start:end]`, of one of `KINDS`."""

    kind: str
    start: int
    end: int


def find(text: str, kinds: Collection[str] = KINDS, region: str | None = None) -> list[Finding]:
    """What of `kinds` is in `text`: in order, without overlaps. `region` (such as `DE`) admits local numbers.

    Of two that overlap, the one that begins first (or is longer) names the kind and reaches to the end of
    both. Raises Invalid for a kind that does not exist.
    """
    if not _ALL.issuperset(kinds):
        unknown = next(kind for kind in kinds if kind not in _ALL)
        raise Invalid(f"there is no detector {unknown[:40]!r}; there are {', '.join(KINDS)}", where="kinds")
    digits = numbers.digits_together(text)
    found: list[tuple[int, int, int, str]] = []
    for order, kind in enumerate(KINDS):
        if kind in kinds:
            found += [(start, -end, order, kind) for start, end in _spans(kind, text, digits, region)]
    if not found:
        return []
    resolved: list[Finding] = []
    for start, negative_end, _, kind in sorted(found):
        end = -negative_end
        if resolved and start < resolved[-1].end:
            if end > resolved[-1].end:
                resolved[-1] = Finding(resolved[-1].kind, resolved[-1].start, end)
        else:
            resolved.append(Finding(kind, start, end))
    return resolved


def clean(text: str) -> bool:
    """True where it is certain that `find` finds nothing of any kind; a quick look that may be wrong one way only.

    What holds for several texts joined by a line's end holds for each of them.
    """
    if "@" in text or "PRIVATE KEY" in text:
        return False
    raw = text.encode("utf-8", "replace")
    if len(raw.translate(None, _NO_DIGITS)) > 1 and (
        numbers.digits_together(text) or numbers.letters_then_digits(text)
    ):
        return False
    return not secrets.may_hold_tokens(text, raw)


def redact(
    text: str, kinds: Collection[str] = KINDS, region: str | None = None
) -> tuple[str, dict[str, int]]:
    """`text` with every finding replaced by a marker such as `[EMAIL]`, and how many of each kind there were.

    Redacting again changes nothing: no marker is a finding, and it repeats until nothing is found.
    """
    counts: dict[str, int] = {}
    while findings := find(text, kinds, region):
        pieces: list[str] = []
        position = 0
        for finding in findings:
            pieces += (text[position : finding.start], f"[{finding.kind.upper()}]")
            position = finding.end
            counts[finding.kind] = counts.get(finding.kind, 0) + 1
        text = "".join(pieces) + text[position:]
    return text, counts


def _spans(kind: str, text: str, digits: int, region: str | None) -> Iterable[tuple[int, int]]:
    """What one detector finds, after a quick look at whether there can be anything.

    `digits` is how many digits stand close together in `text`, as `numbers.digits_together` tells.
    """
    if kind == "email":
        return _emails(text) if "@" in text else ()
    if kind == "key":
        return secrets.keys(text)
    if kind == "iban":
        return numbers.ibans(text) if numbers.letters_then_digits(text) else ()
    if kind == "card":
        return numbers.cards(text) if digits >= 13 else ()
    return numbers.phones(text, region) if digits >= 7 else ()


def _emails(text: str) -> Iterator[tuple[int, int]]:
    """From each `@`, the domain forward and at most 64 characters of local part back (RFC 5321).

    What looks like an address in `scheme://user:password@host` is none.
    """
    for match in _DOMAIN.finditer(text):
        at = start = match.start()
        lowest = max(0, at - _LOCAL_LENGTH)
        while start > lowest and (text[start - 1].isalnum() or text[start - 1] in _LOCAL_PUNCTUATION):
            start -= 1
        while start < at and not text[start].isalnum() and text[start] != "_":
            start += 1
        password = text[start - 1 : start] == ":" and _USER_INFO.search(text[max(0, start - 104) : start])
        if start < at and not password:
            yield start, match.end()
