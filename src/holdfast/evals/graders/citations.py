"""The grader of citations: what is cited exists, what is quoted stands there, what is said is supported."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from typing import Literal, NamedTuple

import msgspec

from holdfast.evals.graders.bounds import sentences_in
from holdfast.evals.graders.grading import Fault, Finding, Made, Outside
from holdfast.evals.graders.texts import compiled, normalise, pattern_faults
from holdfast.evals.model import Answer, Case, Document

_BRACKETS = re.compile(r"\[\^?([^\[\]\n]{1,200})\](?!\()|【([^【】\n]{1,200})】")
_PARTS = re.compile(r"\s*[,;]\s*")
_LEAD = re.compile(r"^(?:doc(?:ument)?|source|ref(?:erence)?|id)s?[\s:#.]+(?=\S)", re.IGNORECASE)
_RUNS = re.compile(r"\d+|[^\W\d_]+")
_QUOTES = re.compile(
    r"“([^“”\n]{1,2000})”|„([^„“”\n]{1,2000})[“”]|«([^«»\n]{1,2000})»|(?<!\w)\"([^\"\n]{1,2000})\"(?!\w)"
)
_CONTENT = re.compile(r"[^\W_]{4,}|\d[\d.,]*")
MOST = 1000
"""Citations of one answer; its length in characters is bounded by a hundred times as many."""
_QUOTED_WORDS = 3
"""Words that a quotation has at least; fewer are a name or a term."""
_SUPPORTED = 0.6
"""Share of a sentence's longer words and numbers that its documents have."""


class Cited(NamedTuple):
    """A citation: the id as written, and where in the text it stands."""

    id: str
    start: int
    end: int


def ids_of(documents: Iterable[Document]) -> dict[str, Document]:
    """Documents by the id that an answer cites them by: their own, else their place from 1 on."""
    return {document.id or str(place): document for place, document in enumerate(documents, 1)}


def cited_in(text: str, known: Iterable[str], pattern: str | None = None) -> list[Cited]:
    """Every citation in a text.

    By default what stands in brackets, `[doc-1]`, `[1, 2]`, `【3】`, and either is an id or has the shape of one
    (`[doc-9]`, where there is a `doc-1`): other brackets are no citations. With a pattern of RE2, its first group
    (else all of it) wherever it matches.
    """
    if pattern is not None:
        return list(_by_pattern(text, pattern))
    ids = set(known)
    shapes = {_shape(one) for one in ids}
    found = []
    for match in _BRACKETS.finditer(text):
        for part in _PARTS.split((match[1] or match[2]).strip()):
            one = part if part in ids else _LEAD.sub("", part)
            if one in ids or _shape(one) in shapes:
                found.append(Cited(one, *match.span()))
    return found


def _by_pattern(text: str, pattern: str) -> Iterator[Cited]:
    raw = text.encode("utf-8", "replace")
    characters, counted = 0, 0
    for match in compiled(pattern).finditer(raw):
        characters += len(raw[counted : match.start()].decode("utf-8", "ignore"))
        counted = match.start()
        groups = [group for group in match.groups() if group is not None]
        one = (groups[0] if groups else match.group()).decode("utf-8", "ignore").strip()
        if one:
            length = len(match.group().decode("utf-8", "ignore"))
            yield Cited(one, characters, characters + length)


def _shape(one: str) -> str:
    return _RUNS.sub(lambda run: "0" if run[0].isdigit() else run[0].casefold(), one)


class _Citation(msgspec.Struct, forbid_unknown_fields=True):
    checks: tuple[Literal["ids", "quotes", "sentences"], ...] = ("ids", "quotes")
    least: int = 1
    """Citations that there are at least."""
    pattern: str | None = None
    verbatim: bool = False
    """Whether quotations must stand in the document letter by letter."""


def _faults(params: _Citation) -> Iterator[Fault]:
    if not params.checks:
        yield "checks", "name at least one of ids, quotes, sentences"
    if params.least < 0:
        yield "least", "this is zero or more"
    if params.pattern is not None:
        yield from pattern_faults("pattern", params.pattern)


class _Text:
    """A document's text, and how it is compared; each form is made once, where it is needed."""

    def __init__(self, text: str) -> None:
        self.text = text

    @cached_property
    def plain(self) -> str:
        return f" {normalise(self.text)} "

    @cached_property
    def words(self) -> frozenset[str]:
        return frozenset(_CONTENT.findall(self.plain))


class _Reading(NamedTuple):
    """An answer, its citations, and the documents they may mean."""

    text: str
    cited: Sequence[Cited]
    documents: dict[str, _Text]
    verbatim: bool


Checked = tuple[float | None, list[str]]
"""The share that is good (None where there was nothing to check), and what is not."""


def _ids(read: _Reading) -> Checked:
    wrong = [one.id for one in read.cited if one.id not in read.documents]
    share = 1 - len(wrong) / len(read.cited) if read.cited else None
    return share, [f"there is no document {one}" for one in dict.fromkeys(wrong)]


def _quotes(read: _Reading) -> Checked:
    quotes = []
    for match in _QUOTES.finditer(read.text):
        quote = next(group for group in match.groups() if group is not None)
        if len(normalise(quote).split()) >= _QUOTED_WORDS:
            quotes.append((quote, _meant(read, match.start(), match.end())))
    wrong = [quote for quote, documents in quotes if not any(_stands(quote, one, read) for one in documents)]
    share = 1 - len(wrong) / len(quotes) if quotes else None
    return share, [f"not in the document: {quote[:100]!r}" for quote in wrong]


def _meant(read: _Reading, start: int, end: int) -> list[_Text]:
    """The documents that a quotation is of: the next citation behind it on its line, else before it, else all."""
    line = (read.text.rfind("\n", 0, start) + 1, read.text.find("\n", end))
    stop = line[1] if line[1] >= 0 else len(read.text)
    behind = [one for one in read.cited if end <= one.start < stop]
    before = [one for one in read.cited if line[0] <= one.start and one.end <= start]
    place = behind[0].start if behind else before[-1].start if before else None
    if place is None:
        return list(read.documents.values())
    return [read.documents[one.id] for one in read.cited if one.start == place and one.id in read.documents]


def _stands(quote: str, document: _Text, read: _Reading) -> bool:
    if read.verbatim:
        return quote.strip() in document.text
    pieces = [normalise(piece) for piece in re.split(r"\[?(?:…|\.\.\.)\]?", quote)]
    return all(f" {piece} " in document.plain for piece in pieces if piece)


def _sentences(read: _Reading) -> Checked:
    """A sentence is supported where it cites a document that has most of its longer words and all its numbers."""
    wrong, count = [], 0
    at = 0
    for sentence in sentences_in(read.text):
        start = read.text.find(sentence[:40], at)
        start = at if start < 0 else start
        at = start + len(sentence)
        tail = re.match(r"[\s.]*(?:\[[^\]\n]*\]\s*|【[^】\n]*】\s*)+", read.text[at : at + 400])
        stop = at + (tail.end() if tail else 0)
        documents = [
            read.documents[one.id]
            for one in read.cited
            if start <= one.start < stop and one.id in read.documents
        ]
        said = set(_CONTENT.findall(normalise(_BRACKETS.sub(" ", sentence))))
        if not said:
            continue
        count += 1
        if not _supported(said, documents):
            wrong.append(sentence)
    share = 1 - len(wrong) / count if count else None
    return share, [f"not supported: {sentence[:100]!r}" for sentence in wrong]


def _supported(said: set[str], documents: Sequence[_Text]) -> bool:
    there = frozenset[str]().union(*(one.words for one in documents))
    if any(word[0].isdigit() and word not in there for word in said):
        return False
    return bool(documents) and len(said & there) / len(said) >= _SUPPORTED


_CHECKS = {"ids": _ids, "quotes": _quotes, "sentences": _sentences}


def _look(case: Case, params: _Citation, answer: Answer, __: Outside) -> Finding:
    documents = ids_of(case.input.context)
    if not documents:
        return Finding(None, "the case brings no documents that could be cited")
    cited = cited_in(answer.text, documents, params.pattern)
    if max(len(cited), len(answer.text) // 100) > MOST:
        return Finding(None, f"more than {MOST:,} citations or {100 * MOST:,} characters are not judged")
    if len(cited) < params.least:
        said = (
            f"{len(cited)} citations; at least {params.least} are asked for" if cited else "nothing is cited"
        )
        return Finding(0.0, said)
    texts = {name: _Text(document.text) for name, document in documents.items()}
    read = _Reading(answer.text, cited, texts, params.verbatim)
    checked = {name: _CHECKS[name](read) for name in params.checks}
    shares = {name: round(share, 4) for name, (share, _) in checked.items() if share is not None}
    all_wrong = [one for _, wrong in checked.values() for one in wrong]
    return Finding(
        min(shares.values(), default=1.0),
        "; ".join(all_wrong)[:500],
        {"shares": shares, "wrong": all_wrong[:20]},
    )


CITATION = Made("citation", "1", _Citation, _look, _faults)
