"""Keys and secrets in text, by the forms that their issuers give them.

Every pattern begins at a boundary and is bounded, so that no text makes it slow. A pattern runs only where
one of its marks is in the text, and none where no word is as long as a key.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator

_EDGE = r"(?<![A-Za-z0-9_-])"
_PATTERNS: tuple[tuple[tuple[str, ...], re.Pattern[str]], ...] = tuple(
    (marks, re.compile(pattern))
    for marks, pattern in (
        # OpenAI, Anthropic (sk-ant-), OpenRouter (sk-or-), DeepSeek …: somewhere a long unbroken stretch
        (("sk-",), _EDGE + r"sk-(?=[A-Za-z0-9_-]{0,40}?[A-Za-z0-9_]{16})[A-Za-z0-9_-]{20,400}"),
        (("AKIA", "ASIA", "AROA", "AIDA"), _EDGE + r"(?:AKIA|ASIA|AROA|AIDA)[A-Z0-9]{16}(?![A-Za-z0-9])"),
        (("ghp_", "gho_", "ghu_", "ghs_", "ghr_"), _EDGE + r"gh[pousr]_[A-Za-z0-9]{30,255}"),
        (("github_pat_",), _EDGE + r"github_pat_[A-Za-z0-9_]{22,255}"),
        (("glpat-",), _EDGE + r"glpat-[A-Za-z0-9_-]{20,255}"),
        (("xox", "xapp-"), _EDGE + r"(?:xox[abeoprs]|xapp)-[A-Za-z0-9-]{12,255}"),
        (("AIza",), _EDGE + r"AIza[A-Za-z0-9_-]{35}(?![A-Za-z0-9_-])"),
        (("ya29.",), _EDGE + r"ya29\.[A-Za-z0-9_-]{20,400}"),
        (("_live_", "_test_"), _EDGE + r"[spr]k_(?:live|test)_[A-Za-z0-9]{16,255}"),
        (("hf_",), _EDGE + r"hf_[A-Za-z0-9]{30,255}"),
        (("gsk_", "xai-", "pplx-"), _EDGE + r"(?:gsk_|xai-|pplx-)[A-Za-z0-9]{30,255}"),
        (("npm_",), _EDGE + r"npm_[A-Za-z0-9]{36}(?![A-Za-z0-9])"),
        (("pypi-",), _EDGE + r"pypi-[A-Za-z0-9_-]{40,400}"),
        (
            ("eyJ",),
            _EDGE + r"eyJ[A-Za-z0-9_-]{8,4000}\.eyJ[A-Za-z0-9_-]{8,8000}\.[A-Za-z0-9_-]{8,4000}",
        ),
    )
)
_MARKS = (*(mark for marks, _ in _PATTERNS for mark in marks), "earer", "EARER")
_BEARER = re.compile(r"\b[Bb](?:earer|EARER)[ \t]{1,4}([A-Za-z0-9._~+/-]{16,4000}={0,2})")
_URL_PASSWORD = re.compile(r"://[^\s/:@]{0,100}:(?!\[[A-Z]{3,8}\]@)([^\s/@]{1,200})@")
_PEM_BEGIN = re.compile(r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----")
_PEM_END = re.compile(r"-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----")
_WORDS = bytes(48 if chr(byte).isalnum() or byte in b"._~+/=-" else 32 for byte in range(128)) + b" " * 128
_LONG_WORD = b"0" * 16
_BITS_PER_CHARACTER = 3.0


def keys(text: str) -> Iterator[tuple[int, int]]:
    """API keys, access tokens, JSON web tokens, private key blocks, bearer tokens, passwords in URLs.

    A private key block without its end is taken to the end of the text.
    """
    if _LONG_WORD in text.encode("utf-8", "replace").translate(_WORDS):
        yield from _tokens(text)
    if "PRIVATE KEY" in text:
        yield from _private_keys(text)
    if "://" in text and "@" in text:
        yield from (match.span(1) for match in _URL_PASSWORD.finditer(text))


def may_hold_tokens(text: str, raw: bytes) -> bool:
    """False where no pattern of a token can match; `raw` is the text in UTF-8."""
    if _LONG_WORD not in raw.translate(_WORDS):
        return False
    return any(mark in text for mark in _MARKS)


def _tokens(text: str) -> Iterator[tuple[int, int]]:
    for marks, pattern in _PATTERNS:
        for mark in marks:
            if mark in text:
                yield from (match.span() for match in pattern.finditer(text))
                break
    if "earer" in text or "EARER" in text:
        for match in _BEARER.finditer(text):
            if _random_looking(match.group(1)):
                yield match.span(1)


def _private_keys(text: str) -> Iterator[tuple[int, int]]:
    position = 0
    while begin := _PEM_BEGIN.search(text, position):
        end = _PEM_END.search(text, begin.end())
        position = end.end() if end else len(text)
        yield begin.start(), position


def _random_looking(token: str) -> bool:
    """A digit, and a Shannon entropy of at least three bits per character: placeholders have less."""
    if not any(character.isdigit() for character in token):
        return False
    size = len(token)
    entropy = -sum(count / size * math.log2(count / size) for count in Counter(token).values())
    return entropy >= _BITS_PER_CHARACTER
