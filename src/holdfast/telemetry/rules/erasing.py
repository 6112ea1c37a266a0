"""What erasing a person takes out of a record, and what it leaves: counts, costs, times."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

ERASED = "[erased]"
TELLING = 8
"""A name of so many characters, or an e-mail address, is sought in free text; a shorter one (`42`) only as a whole value."""
PERSONAL = ("user.", "enduser.")


@dataclass(frozen=True, slots=True)
class Subject:
    """Who is erased: the id or e-mail address as it is sent in telemetry."""

    text: str

    @property
    def telling(self) -> bool:
        """Whether the text means this person wherever it stands."""
        return "@" in self.text or len(self.text) >= TELLING

    @property
    def forms(self) -> tuple[str, ...]:
        """How the text may be written: as it is, in JSON, in a URL."""
        escaped = self.text.replace("\\", "\\\\").replace('"', '\\"')
        return tuple(dict.fromkeys((self.text, escaped, quote(self.text), quote(self.text, safe=""))))

    @property
    def pattern(self) -> re.Pattern[str]:
        """Finds the text where it is not part of a longer name."""
        either = "|".join(re.escape(form) for form in self.forms)
        return re.compile(rf"(?<![\w-])(?:{either})(?![\w-])", re.IGNORECASE)

    def hashed(self, salt: str) -> str:
        """64 characters: the salt (16), then the beginning of SHA-256 over salt and text."""
        digest = hashlib.sha256(f"{salt}{self.text.casefold()}".encode()).hexdigest()
        return (salt + digest)[:64]


def same(value: Any, names: frozenset[str]) -> bool:
    """Whether a value is one of the names, in whatever type it came."""
    return isinstance(value, str | int) and str(value).casefold() in names


def scrubbed(value: Any, pattern: re.Pattern[str] | None) -> Any:
    """A value with every mention of the person replaced, keys left alone; unchanged without a pattern."""
    if pattern is None:
        return value
    if isinstance(value, str):
        return pattern.sub(ERASED, value)
    if isinstance(value, dict):
        return {key: scrubbed(inner, pattern) for key, inner in value.items()}
    if isinstance(value, list):
        return [scrubbed(inner, pattern) for inner in value]
    return value


def stripped(value: Any, names: frozenset[str], pattern: re.Pattern[str] | None) -> Any:
    """Attributes without those that name the person: by value, by mention, or by a key that is about a user."""
    if isinstance(value, Mapping):
        kept = {}
        for key, inner in value.items():
            if str(key).startswith(PERSONAL) or same(inner, names):
                continue
            if isinstance(inner, str) and pattern is not None and pattern.search(inner):
                continue
            kept[key] = stripped(inner, names, pattern)
        return kept
    if isinstance(value, list):
        return [stripped(inner, names, pattern) for inner in value if not same(inner, names)]
    return scrubbed(value, pattern)
