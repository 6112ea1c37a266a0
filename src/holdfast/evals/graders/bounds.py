"""Graders of how much: length, latency, cost, readability."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from typing import NamedTuple

import msgspec

from holdfast.evals.graders.grading import Bounds, Fault, Finding, Made, Outside, Reads
from holdfast.evals.model import Answer, Case
from holdfast.text import languages

_WORD = re.compile(r"[぀-ヿ㐀-䶿一-鿿豈-﫿]|[^\W_぀-ヿ㐀-䶿一-鿿豈-﫿]+(?:['’\-][^\W_]+)*")
_SENTENCE_END = re.compile(
    r"(?<=[.!?…])[\"'”’)\]]*\s+(?=[^\W_a-z]|[\"'“‘(\[])|(?<=[。！？])|\n\s*\n|\n(?=\s*(?:[-*•]|\d+[.)])\s)"
)
_ABBREVIATION = re.compile(
    r"(?:\b(?:Mr|Mrs|Ms|Dr|Prof|St|vs|No|Fig|Inc|Ltd|Jr|Sr|[A-Z])|\b[Ee]\.g|\b[Ii]\.e)\.$"
)
_PARAGRAPH = re.compile(r"\n\s*\n")
LEAST_WORDS = 30
"""Words that a readability formula needs to say anything."""


def words_in(text: str) -> list[str]:
    """The words of a text. Where none are parted by spaces (Chinese, Japanese), each character is one."""
    return _WORD.findall(text)


def sentences_in(text: str) -> list[str]:
    """The sentences of a text, items of lists and paragraphs by themselves; without what has no letter or digit."""
    found: list[str] = []
    for piece in _SENTENCE_END.split(text):
        if found and _ABBREVIATION.search(found[-1]) and "\n" not in found[-1]:
            found[-1] += " " + piece
        else:
            found.append(piece)
    return [one.strip() for one in found if _WORD.search(one)]


class _Length(msgspec.Struct, forbid_unknown_fields=True):
    characters: Bounds | None = None
    words: Bounds | None = None
    sentences: Bounds | None = None
    lines: Bounds | None = None
    paragraphs: Bounds | None = None
    tokens: Bounds | None = None
    """Output tokens, as the upstream counts them."""

    def bounds(self) -> dict[str, Bounds]:
        """What is bounded."""
        found = {name: getattr(self, name) for name in self.__struct_fields__}
        return {name: bounds for name, bounds in found.items() if bounds is not None}


def _length_faults(params: _Length) -> Iterator[Fault]:
    if not params.bounds():
        yield "", "bound at least one of characters, words, sentences, lines, paragraphs, tokens"
    for name, bounds in params.bounds().items():
        yield from bounds.faults(name)


def _measured(name: str, answer: Answer) -> int | None:
    text = answer.text
    if name == "tokens":
        return answer.output_tokens
    if name == "characters":
        return len(text)
    if name == "words":
        return len(words_in(text))
    if name == "sentences":
        return len(sentences_in(text))
    parts = _PARAGRAPH.split(text) if name == "paragraphs" else text.splitlines()
    return sum(1 for part in parts if part.strip())


def _length(_: Case, params: _Length, answer: Answer, __: Outside) -> Finding:
    bounds = params.bounds()
    measured = {name: _measured(name, answer) for name in bounds}
    outside: list[str] = []
    for name, bound in bounds.items():
        value = measured[name]
        if value is None:
            return Finding(None, "how many tokens the answer has is not known", measured)
        if answer.truncated:  # it would have been longer: too long is certain, all else is not
            bound = Bounds(most=bound.most)
        if not bound.hold(value):
            outside.append(f"{value} {name}; {bounds[name]} are asked for")
    if answer.truncated and not outside:
        return Finding(None, "the answer is cut off; how long it would be is not known", measured)
    return Finding(1 - len(outside) / len(bounds), "; ".join(outside), measured)


class _Latency(msgspec.Struct, forbid_unknown_fields=True):
    most_ms: float


def _latency(_: Case, params: _Latency, answer: Answer, __: Outside) -> Finding:
    if answer.error:
        return Finding(None, f"there is no answer: {answer.error}")
    if answer.latency_ms is None:
        return Finding(None, "how long the answer took is not known")
    good = answer.latency_ms <= params.most_ms
    said = "" if good else f"{answer.latency_ms:.0f} ms; at most {params.most_ms:g} ms are asked for"
    return Finding(float(good), said, {"latency_ms": answer.latency_ms})


class _Cost(msgspec.Struct, forbid_unknown_fields=True):
    most_usd: float | str


def _dollars(value: float | str) -> Decimal | None:
    """An amount that may be spent; None where it is none."""
    try:
        amount = Decimal(str(value))
    except InvalidOperation:
        return None
    return amount if amount.is_finite() and amount >= 0 else None


def _cost_faults(params: _Cost) -> Iterator[Fault]:
    if _dollars(params.most_usd) is None:
        yield "most_usd", "this is an amount in US dollars, zero or more, such as 0.002"


def _cost(_: Case, params: _Cost, answer: Answer, __: Outside) -> Finding:
    most = _dollars(params.most_usd)
    if answer.cost is None or most is None:
        return Finding(None, "what the answer cost is not known")
    good = answer.cost <= most
    said = "" if good else f"{answer.cost:f} USD; at most {most:f} are asked for"
    return Finding(float(good), said, {"cost": str(answer.cost)})


class _Readability(msgspec.Struct, forbid_unknown_fields=True):
    ease: Bounds | None = None
    grade: Bounds | None = None


def _readability_faults(params: _Readability) -> Iterator[Fault]:
    if params.ease is None and params.grade is None:
        yield "", "bound ease (Flesch reading ease) or grade (Flesch-Kincaid), or both"
    for name, bounds in (("ease", params.ease), ("grade", params.grade)):
        if bounds is not None:
            yield from bounds.faults(name)


class Readability(NamedTuple):
    """Flesch reading ease (1948; higher is easier) and Flesch-Kincaid grade (1975; years of school)."""

    ease: float
    grade: float


_VOWELS = re.compile(r"[aeiouy]+")
_SILENT = re.compile(r"(?<=[^aeiouy])e$|(?<=[^aeiouytd])ed$|(?<=[^aeiouyscxz])(?<!sh|ch)(?<!g)es$")
_SOUNDED = re.compile(r"[^aeiouylr]le[ds]?$|[^aeiouy]re[ds]$")
_SILENT_INSIDE = re.compile(
    r"(?<=[^aeiouy])e(?:ly|less|ness|ment|ful)(?:s|ly)?$|(?<=m)e(?=one|th|day|body|how|what|where|tim)"
    r"|(?<=ev)e(?=ry|ning)|(?<=er)e(?=for)|us(?=iness)"
)
_APART = re.compile(
    r"(?<![cstg])ia|(?<![cstgln])io|(?<=[lrvdbn])io(?!n|us)|(?<!t)ie(?=t|ty|n[ct])|iu|[aeouy]ing|creat|rea(?:ct|lit|ll)|[dr]ea$|eas?$(?<=[dr]ea)"
    r"|(?<![gqs])ua(?!y)|qui?et|eo(?=s$|gr|lo|n|me)|poe|(?<![cstr])ao|coop|ism$|ui(?=[tn]y)"
)


def syllables(word: str) -> int:
    """How many syllables an English word has, by its spelling; about one word in twelve is counted wrongly."""
    word = "".join(character for character in word.lower() if character.isalpha())
    word = _SILENT_INSIDE.sub("", word)
    if not _SOUNDED.search(word):
        word = _SILENT.sub("", word)
    return max(1, len(_VOWELS.findall(word)) + len(_APART.findall(word)))


def readability(text: str) -> Readability | None:
    """Of an English text; None where it has fewer than thirty words."""
    words = [word for word in words_in(text) if any(map(str.isalpha, word))]
    if len(words) < LEAST_WORDS:
        return None
    per_sentence = len(words) / max(1, len(sentences_in(text)))
    per_word = sum(map(syllables, words)) / len(words)
    return Readability(
        206.835 - 1.015 * per_sentence - 84.6 * per_word, 0.39 * per_sentence + 11.8 * per_word - 15.59
    )


def _readability(_: Case, params: _Readability, answer: Answer, __: Outside) -> Finding:
    if not answer.text.strip():
        return Finding(0.0, "the text is empty")
    language = languages.detect(answer.text)
    if language != "en":
        return Finding(None, "the formula is for English, which this text is not, or not surely")
    found = readability(languages.prose(answer.text))
    if found is None:
        return Finding(
            None, f"the text has fewer than {LEAST_WORDS} words; the formula says nothing of so few"
        )
    outside = [
        f"{name} is {value:.0f}; {bounds} is asked for"
        for name, value, bounds in (("ease", found.ease, params.ease), ("grade", found.grade, params.grade))
        if bounds is not None and not bounds.hold(value)
    ]
    asked = (params.ease is not None) + (params.grade is not None)
    details = {"ease": round(found.ease, 1), "grade": round(found.grade, 1)}
    return Finding(1 - len(outside) / asked, "; ".join(outside), details)


LENGTH = Made("length", "1", _Length, _length, _length_faults, reads=Reads.PART)
LATENCY = Made("latency", "1", _Latency, _latency, reads=Reads.NOTHING)
COST = Made("cost", "1", _Cost, _cost, _cost_faults, reads=Reads.NOTHING)
READABILITY = Made("readability", "1", _Readability, _readability, _readability_faults)
