"""What of a text is more than punctuation and formatting, told so that what cannot be judged is never taken for form.

A text is read as tokens: all that stands between whitespace, save a short list of marks that may come and go: sentence
marks at the end of a word, bullets, headings and `**` of Markdown. All else stays in the tokens, character for character:
letters in their case, digits with signs, separators and units, quoted texts, code, brackets, tags, links, symbols.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

LONGEST = 100_000
"""Characters up to which a text is judged; in a longer one every edit counts as one of words."""
NEAR = 10
"""Words within which a mark that went and one that came are taken for one that moved."""
_CLAUSE = ",;:—–-、，；：،؛"
_SENTENCE = ".!?…。！？؟।"
_MARKS = frozenset(_CLAUSE + _SENTENCE) - frozenset("—–-")
_LONE = frozenset("-–—!?;:")
"""Marks that may stand by themselves, as French has them before its colons and question marks."""
_WIDE = frozenset("、，；：。！？")
"""Marks of scripts without spaces: they end a word wherever they stand."""
_BULLET = "•"
_TAG = (
    r"\{\{\{?[^{}]{0,200}\}?\}\}|\{%[^%]{0,200}%\}|<%[^%]{0,200}%>|\$\{[^{}]{0,200}\}"
    r"|\{[A-Za-z_][A-Za-z0-9_.]{0,99}\}"
)
_TAGS = re.compile(_TAG)
_EDGE = re.compile(r"(?<=[{%])\s+|\s+(?=[%}])")
_SCAN = re.compile(
    r"(?P<marker>(?:(?<=\n)|\A)[ \t]*(?:\#{1,6}(?=[ \t]+\S)|[-*+•‣◦](?=[ \t]+\S)(?![ \t]+[^\w\s]{0,3}\d)))"
    r"|(?P<literal>"
    r"(?:(?<=\n)|\A)[ \t]*```[^\n]*(?:\n[\s\S]*?)?(?:\n[ \t]*```[ \t]*(?=\n|\Z)|\Z)"
    r"|(?:(?<=\n)|\A)[ \t]*~~~[^\n]*(?:\n[\s\S]*?)?(?:\n[ \t]*~~~[ \t]*(?=\n|\Z)|\Z)"
    r'|"""[\s\S]*?(?:"""|\Z)|`[^`\n]+`|' + _TAG + r"|<[A-Za-z/!][^<>\n]{0,200}>"
    r'|"[^"]{0,500}"|“[^”]{0,500}”|«[^»]{0,500}»|„[^“”]{0,500}[“”]|「[^」]{0,500}」'
    r"|‘[^’\n]{0,200}’|(?<!\w)'[^'\n]{1,200}'(?!\w))"
    r"|(?P<newline>\n)|(?P<space>\s+?(?=\S|\n|\Z))|(?P<bold>\*\*\*?)|(?P<plain>\w+|[\s\S])"
)
_PAIR = re.compile(r"(?<![\w*])(\*{2,3})(?=[^\s*])([^*\n]{1,500})(?<=[^\s*])\1(?![\w*])")
_NUMBER_ENDS = re.compile(r"\d[^\w\s]{0,2}\Z|\}\Z")
_LITERAL_ENDS = re.compile(r"""[\])>"'`”’»」]\Z""")
_LITERAL_BEGINS = re.compile(r"""[\[(<"'`“‘«„「]""")
_NUMBER_BEGINS = re.compile(r"[^\w\s]{0,3}\d|\{")
_VERBATIM = re.compile(r"://|[@/\\]|\Awww\.")
_APOSTROPHE = re.compile(r"(?<=[^\W\d_])’(?=[^\W\d_])")
_TURNING_WORDS = (
    "no not never none nor neither without except unless only but however if when until cannot nothing nobody "
    "nicht kein keine keinen keiner nie niemals ohne außer nur wenn falls aber sondern "
    "ne pas jamais sans sauf seulement si non mai senza solo sólo se nunca sin excepto salvo não sem niet geen nooit "
    "не нет ни никогда без кроме только если"
)
_TURNING = frozenset(_TURNING_WORDS.split())
"""Words that turn or limit what stands beside them: there, a comma or a full stop can change the meaning."""
_TURNING_SIGNS = re.compile("[不没沒勿别別非无無未禁]|ない|ません")


class Stop(IntEnum):
    """What parts two words."""

    NONE = 0
    CLAUSE = 1
    SENTENCE = 2


@dataclass(frozen=True, slots=True)
class Token:
    """A word, number, literal or symbol, and what stands between it and the next one."""

    text: str
    marks: str = ""  # that came and may go; a newline for each line end
    lone: str = ""  # those of them that stood by themselves

    @property
    def stop(self) -> Stop:
        """The strongest thing after it."""
        if _BULLET in self.marks or self.marks.count("\n") > 1 or any(one in _SENTENCE for one in self.marks):
            return Stop.SENTENCE
        return Stop.CLAUSE if any(one in _CLAUSE for one in self.marks) else Stop.NONE


def plain(text: str) -> str:
    """The text with line ends, composed letters and apostrophes in one form each."""
    text = unicodedata.normalize("NFC", text).replace("\r\n", "\n").replace("\r", "\n")
    return _APOSTROPHE.sub("'", text)


def tags(text: str) -> list[str]:
    """Placeholders and other tags of templates in their order, without the space inside their braces."""
    return [_EDGE.sub("", one) for one in _TAGS.findall(text)]


def tokens(text: str) -> list[Token]:
    """The tokens of a text as `plain` gives it."""
    return _kept(_Reader(text).read())


def turned(old: Sequence[Token], new: Sequence[Token]) -> list[str]:
    """Words that negate or limit, beside which the marks differ; both have the same tokens. At most five."""
    found = []
    for place in _otherwise(old, new):
        near = [token.text for token in old[max(place - 1, 0) : place + 3] if _turns(token.text)]
        ended = _line_ends(old[place], new[place]) and not _turns(old[place].text)
        if near and not ended:
            found.append(near[0])
    return list(dict.fromkeys(found))[:5]


def moved(old: Sequence[Token], new: Sequence[Token]) -> list[str]:
    """Words after which a comma or a full stop went while another came nearby: what belongs together may be other words."""
    went: list[int] = []
    came: list[int] = []
    for place in _otherwise(old, new):
        if not _line_ends(old[place], new[place]):
            (went if new[place].stop < old[place].stop else came).append(place)
    return [old[one].text for one in went if any(abs(one - other) <= NEAR for other in came)][:5]


def _otherwise(old: Sequence[Token], new: Sequence[Token]) -> list[int]:
    """Places of tokens, save the last, after which the marks are of another strength."""
    return [place for place in range(len(old) - 1) if old[place].stop != new[place].stop]


def _line_ends(old: Token, new: Token) -> bool:
    """Whether both end a line, with or without a full stop."""
    return "\n" in old.marks and "\n" in new.marks and Stop.CLAUSE not in (old.stop, new.stop)


def _turns(token: str) -> bool:
    word = token.strip("'\"()[]*_“”").lower()
    return word in _TURNING or word.endswith("n't") or bool(_TURNING_SIGNS.search(word))


class _Reader:
    """Reads a text once, from its beginning to its end."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.found: list[Token] = []
        self.last = ""  # the token that is read; empty before the first
        self.marks: list[str] = []  # after it
        self.lone: list[str] = []
        self.unit: list[str] = []
        self.loose = False  # whether the unit ends in plain text, whose marks may go
        self.depth = 0  # of brackets, within which every mark counts
        self.bracketed = False
        self.words = 0  # on this line
        self.closers: set[int] = set()

    def read(self) -> list[Token]:
        for found in _SCAN.finditer(self.text):
            kind, said = found.lastgroup, found.group()
            if kind in ("newline", "space"):
                self._end(alone=kind == "newline")
                if kind == "newline":
                    self._mark("\n")
                    self.words = 0
            elif kind == "marker" and not self.depth:
                self._mark(_BULLET)
            elif kind == "literal":
                self._add(_EDGE.sub("", said) if said[0] == "{" else said)
            elif kind == "bold" and self._emphasis(found.start(), said):
                continue
            elif (
                said in _WIDE
                and not self.depth
                and not self._label(said)
                and not self._in_number(found.start())
            ):
                self._end()
                self._mark(said)
            else:
                self._add(said.strip() if kind == "marker" else said, loose=kind == "plain")
                self.depth = max(0, self.depth + (said in "{[") - (said in "}]"))
        self._end(alone=True)
        self._next("")
        return self.found

    def _add(self, said: str, *, loose: bool = False) -> None:
        self.bracketed = self.bracketed or self.depth > 0 or said in ("{", "[")
        self.unit.append(said)
        self.loose = loose

    def _emphasis(self, at: int, said: str) -> bool:
        if at in self.closers:
            return True
        found = _PAIR.match(self.text, at)
        if found is None or found[1] != said:
            return False
        self.closers.add(found.end() - len(said))
        return True

    def _label(self, said: str) -> bool:
        return said == "：" and not self.words

    def _in_number(self, at: int) -> bool:
        return self.text[at - 1 : at].isdigit() and self.text[at + 1 : at + 2].isdigit()

    def _mark(self, marks: str) -> None:
        self.marks.append(marks)

    def _next(self, text: str) -> None:
        self.found.append(Token(self.last, "".join(self.marks), "".join(self.lone)))
        self.last, self.marks, self.lone = text, [], []

    def _end(self, *, alone: bool = False) -> None:
        """Ends the unit. `alone`: the line ends here."""
        if not self.unit:
            return
        unit, marks = "".join(self.unit), ""
        self.unit = []
        if self.loose and not self.bracketed:
            if unit in _LONE and not (alone and not self.words):
                self._mark(unit)
                self.lone.append(unit)
                return
            if any(one not in _MARKS for one in unit):
                unit, marks = self._stripped(unit)
        self._next(unit)
        self._mark(marks)
        self.words += 1
        self.bracketed = False

    def _stripped(self, unit: str) -> tuple[str, str]:
        if _VERBATIM.search(unit):
            return unit, ""
        kept = unit.rstrip("".join(_MARKS))
        marks = unit[len(kept) :]
        label = self.words < 2 and (":" in marks or "：" in marks)
        if label or ("!" in marks and kept[-1:].isdigit()):
            return unit, ""
        return kept.lstrip("¿¡") or kept, marks


def _kept(found: list[Token]) -> list[Token]:
    """The tokens, with those marks among them that may be a part of a number, or part numbers or literals."""
    made: list[Token] = []
    for place, one in enumerate(found):
        after = found[place + 1].text if place + 1 < len(found) else ""
        left, right = bool(_NUMBER_ENDS.search(one.text)), bool(_NUMBER_BEGINS.match(after))
        between = (left or _LITERAL_ENDS.search(one.text)) and (right or _LITERAL_BEGINS.match(after))
        marks = one.marks.replace("\n", "").replace(_BULLET, "")
        counts = marks if between else one.lone if left or right else ""
        if one.text:
            made.append(one if not counts else Token(one.text))
        if counts:
            made.append(Token(counts, one.marks))
    return made
