"""What behaviour says: signals computed from the turns of a session. Weak evidence each, and labelled as such.

A turn is a question of a person and what came of it, however many calls that took. Confidence is how sure the rule is that
the person behaved so, not that the answer was bad; the figures are judgements, kept here to be argued with.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from difflib import SequenceMatcher
from itertools import pairwise

from holdfast.feedback.model import Signal

QUIET = timedelta(minutes=30)
"""After so long without a turn a session is over."""
SOON = timedelta(minutes=10)
"""Within so long a like question is the same one again."""
AT_ONCE = timedelta(seconds=2)
"""Sooner than this a machine tries again, not a person."""
LEAST_WORDS = 3
LIKE = 0.82
"""Cosine of two questions from which the second rephrases the first, where their numbers and few words differ."""
SHARED = 0.6
"""The same by the share of words, where there are no vectors."""
MOST_COMPARED = 4000
"""Words of a text that are compared with what was used."""
Alike = Callable[[str, str], float | None]
"""How like two questions are, -1 to 1; None where it cannot be told."""

_HUMAN = re.compile(
    r"\b(?:(?:speak|talk|chat|connect me|transfer me|put me through|escalate)\b.{0,30}\b"
    r"(?:human|person|someone|somebody|agent|representative|operator|manager|supervisor|support)"
    r"|(?:real|live|actual) (?:human|person|agent)|human (?:agent|being|support)|customer service (?:agent|rep)"
    r"|(?:mit|an) (?:einem|einen|eine|einer) (?:menschen|mitarbeiter|mitarbeiterin|berater|kollegen)"
    r"|(?:parler|parle) (?:à|avec) (?:un|une) (?:humain|personne|conseiller|conseillère|agent)"
    r"|hablar con (?:un|una) (?:humano|persona|agente))\b",
    re.IGNORECASE | re.DOTALL,
)
_HANDED = re.compile(
    r"escalat|hand[_-]?(?:off|over)|(?:transfer|connect)[_-]?to|live[_-]?agent|human", re.IGNORECASE
)
_WORD = re.compile(r"\w+")
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")


@dataclass(frozen=True, slots=True)
class Turn:
    """One question and its answer. `question` None: what was said was not kept. `call_id` is that of the answer.

    `failed`: it had an error, or was cut off. `refused` None: unknown.
    """

    call_id: str
    trace_id: str
    at: datetime
    ended_at: datetime
    question: str | None = None
    failed: bool = False
    refused: bool | None = None
    tools: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Seen:
    """A signal, about a turn's answer. `why` is for people and says nothing of what was said."""

    signal: Signal
    turn: Turn
    confidence: float
    why: str


def signals(turns: Sequence[Turn], now: datetime, alike: Alike) -> list[Seen]:
    """All signals of one session, whose turns are in order."""
    found = [seen for a, b in pairwise(turns) if (seen := _asked_again(a, b, alike))]
    found += _escalated(turns)
    if turns and now - turns[-1].ended_at >= QUIET and (seen := _abandoned(turns[-1])):
        found.append(seen)
    return found


def _asked_again(first: Turn, second: Turn, alike: Alike) -> Seen | None:
    gap = second.at - first.ended_at
    if first.failed or not AT_ONCE <= gap <= SOON or not first.question or not second.question:
        return None
    one, two = words(first.question), words(second.question)
    if min(len(one), len(two)) < LEAST_WORDS:
        return None
    if one == two:
        return Seen(Signal.REPEAT, first, 0.9, "the same question was asked again")
    if _NUMBER.findall(first.question) != _NUMBER.findall(second.question):
        return None  # another year, another order: another question
    like = alike(first.question, second.question)
    if like is not None:
        return _rephrased(first, like, LIKE)
    return _rephrased(first, shared(one, two), SHARED)


def _rephrased(turn: Turn, like: float, bar: float) -> Seen | None:
    if like < bar:
        return None
    confidence = round(0.5 + 0.4 * (min(like, 1.0) - bar) / (1 - bar), 3)
    return Seen(Signal.REPHRASE, turn, confidence, f"a like question followed (likeness {like:.2f})")


def _escalated(turns: Sequence[Turn]) -> Iterator[Seen]:
    """Once for a session: the first time that a person was asked for, about the answer before it."""
    for number, turn in enumerate(turns):
        handed = next((one for one in turn.tools if _HANDED.search(one)), None)
        if handed is not None:
            yield Seen(Signal.ESCALATION, turn, 0.9, f"the tool {handed[:60]} was called")
            return
        if turn.question and _HUMAN.search(turn.question):
            about = turns[number - 1] if number else turn
            yield Seen(Signal.ESCALATION, about, 0.75, "a person was asked for")
            return


def _abandoned(last: Turn) -> Seen | None:
    if last.refused:
        return Seen(Signal.ABANDONMENT, last, 0.6, "nothing followed a refusal")
    if last.failed:
        return Seen(Signal.ABANDONMENT, last, 0.7, "nothing followed an answer that failed or was cut off")
    return None


def words(text: str) -> list[str]:
    """The words of a text, folded."""
    return _WORD.findall(text.casefold())


def shared(one: Sequence[str], two: Sequence[str]) -> float:
    """Words that both have, as a share of all (Jaccard), 0 to 1."""
    a, b = set(one), set(two)
    return len(a & b) / len(a | b) if a | b else 0.0


def edit_distance(answer: str, used: str) -> float:
    """How much of an answer was changed before it was used, 0 (nothing) to 1 (all), by words.

    One less the ratio of Ratcliff and Obershelp; of long texts the first words.
    """
    one, two = words(answer)[:MOST_COMPARED], words(used)[:MOST_COMPARED]
    if not one and not two:
        return 0.0
    return 1 - SequenceMatcher(None, one, two, autojunk=False).ratio()
