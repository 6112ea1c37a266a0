"""What a judge is, and what it says."""

from __future__ import annotations

from typing import NamedTuple, Protocol

import msgspec


class Finding(NamedTuple):
    """Something found: `text[start:end]`, of a kind that `label` names in a word. The label holds nothing of the text.

    One of no length is about all that is said: it cannot be redacted, and is acted on at once.
    """

    start: int
    end: int
    label: str


class Judge(Protocol):
    """One way to judge. Pure, and in linear time, so that no text can hold the gateway up."""

    def find(self, text: str, said: int) -> list[Finding]:
        """What is wrong in a text, in order, without overlaps.

        Texts come whole, or as a piece of a stream with some of what came before it. `said`: UTF-8 bytes of all texts of
        this request (or answer) so far, this one included.
        """


class Verdict(msgspec.Struct, array_like=True, frozen=True):
    """What a guardrail made of a request or an answer: never the text itself."""

    guardrail: str
    kind: str
    at: str
    """input or output"""
    verdict: str
    """allow, flag, redact or block; error or timeout where it could not judge"""
    count: int = 0
    entities: tuple[str, ...] = ()
    ms: float = 0.0
    policy: str = ""
    """Where it could not judge: open or closed, whether it passed all the same."""


STRENGTH = {"allow": 0, "flag": 1, "redact": 2, "error": 3, "timeout": 3, "block": 4}
"""Of several verdicts on parts of one text the strongest counts."""
