"""What an answer looks like, in figures that people understand. None of them says whether it is right."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

_WORD = re.compile(r"\w+(?:'\w+)*")
_SENTENCE = re.compile(r"[.!?…](?:\s|$)")
_ITEM = re.compile(r"^[ \t]*(?:[-*•+]|\d{1,3}[.)])[ \t]+", re.MULTILINE)
_NUMBERED = re.compile(r"^[ \t]*\d{1,3}[.)][ \t]+", re.MULTILINE)
_HEADING = re.compile(r"^#{1,6}[ \t]+\S", re.MULTILINE)
_BOLD = re.compile(r"\*\*[^*\n]+\*\*|__[^_\n]+__")
_FENCE = re.compile(r"^[ \t]*(?:```|~~~)", re.MULTILINE)
_LINK = re.compile(r"https?://|www\.|\]\(")
_TABLE = re.compile(r"^[ \t]*\|.*\|[ \t]*$", re.MULTILINE)
_FIRST = re.compile(r"\b(?:I|me|my|mine|myself|we|our|us|I'm|I've|I'll|I'd)\b")
_HEDGE = re.compile(
    r"\b(?:may|might|could|perhaps|maybe|possibly|probably|likely|generally|typically|usually|often|sometimes|"
    r"it depends|seems?|appears?|tends? to|in general|not (?:entirely )?(?:sure|certain))\b",
    re.IGNORECASE,
)
_REFUSAL = re.compile(
    r"\b(?:I|we)(?:'m| am|'re| are)? (?:sorry|unable|not able|cannot|can't|can not|won't|will not|do not feel comfortable|"
    r"don't feel comfortable|must (?:decline|refuse))|\bas an? (?:ai|artificial intelligence|large language model|language "
    r"model)|\b(?:inappropriate|unethical|illegal|against (?:my|ethical))\b|\bcannot (?:assist|help|provide|fulfil)",
    re.IGNORECASE,
)
_APOLOGY = re.compile(r"\b(?:sorry|apolog(?:y|ies|i[sz]e))\b", re.IGNORECASE)
_OPENING = re.compile(
    r"\s*(?:sure|certainly|of course|absolutely|great|here(?:'s| is| are)|yes|okay)\b", re.IGNORECASE
)
_CLOSING = re.compile(
    r"(?:let me know|feel free|hope (?:this|that) helps|happy to help|in conclusion|overall|in summary|remember)",
    re.IGNORECASE,
)


def _count(pattern: re.Pattern[str]) -> Callable[[str], float]:
    return lambda text: float(len(pattern.findall(text)))


def _whether(pattern: re.Pattern[str]) -> Callable[[str], float]:
    return lambda text: float(pattern.search(text) is not None)


def _is_json(text: str) -> float:
    stripped = text.strip()
    if stripped[:1] not in {"{", "["}:
        return 0.0
    try:
        json.loads(stripped)
    except (ValueError, RecursionError):
        return 0.0
    return 1.0


def _word_length(text: str) -> float:
    words = _WORD.findall(text)
    return sum(map(len, words)) / len(words) if words else 0.0


def _vocabulary(text: str) -> float:
    """Different words among the first hundred, so that length does not tell."""
    words = [word.lower() for word in _WORD.findall(text)[:100]]
    return len(set(words)) / len(words) if words else 0.0


MEASURES: dict[str, Callable[[str], float]] = {
    "words": lambda text: math.log1p(len(_WORD.findall(text))),
    "characters": lambda text: math.log1p(len(text)),
    "sentences": lambda text: math.log1p(len(_SENTENCE.findall(text))),
    "lines": lambda text: math.log1p(sum(1 for line in text.splitlines() if line.strip())),
    "word length": _word_length,
    "vocabulary": _vocabulary,
    "list items": _count(_ITEM),
    "numbered items": _count(_NUMBERED),
    "headings": _count(_HEADING),
    "bold": _count(_BOLD),
    "code fences": _count(_FENCE),
    "table rows": _count(_TABLE),
    "links": _count(_LINK),
    "digits": lambda text: sum(map(str.isdigit, text)) / max(len(text), 1),
    "question marks": lambda text: float(text.count("?")),
    "exclamation marks": lambda text: float(text.count("!")),
    "first person": lambda text: len(_FIRST.findall(text)) / max(len(_WORD.findall(text)), 1),
    "hedges": lambda text: len(_HEDGE.findall(text)) / max(len(_WORD.findall(text)), 1),
    "refusal": _whether(_REFUSAL),
    "apology": _whether(_APOLOGY),
    "valid JSON": _is_json,
    "ready opening": lambda text: float(_OPENING.match(text) is not None),
    "closing phrase": lambda text: float(_CLOSING.search(text[-300:]) is not None),
}
FEATURES = tuple(MEASURES)
LOGARITHMIC = frozenset(
    {"words", "characters", "sentences", "lines"}
)  # log(1 + count): a difference is a factor
SHARES = frozenset({"refusal", "apology", "valid JSON", "ready opening", "closing phrase"})  # 0 or 1
UNITS = {
    "digits": "of the characters",
    "first person": "of the words",
    "hedges": "of the words",
}


def features(texts: Sequence[str]) -> NDArray[np.float64]:
    """One row per text, one column per FEATURES: (texts, features). Counts as they are, lengths as log(1 + count)."""
    plain = [text.replace("’", "'") for text in texts]
    rows = [[measure(text) for measure in MEASURES.values()] for text in plain]
    return np.asarray(rows, dtype=float).reshape(len(texts), len(FEATURES))
