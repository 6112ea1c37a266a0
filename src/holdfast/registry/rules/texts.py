"""Two texts beside each other, word by word.

Whitespace belongs to the word after it, so that words alone decide what was kept, and a text that was wrapped anew shows
moved line ends and nothing else. Sentences and lines are matched first, words inside those that differ. What occurs once on
either side holds the rest apart (patience diff, Bram Cohen); difflib, whose time grows with the square and more, sees only
the short runs between, within a budget. Beyond it a run differs as a whole.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher

from holdfast.registry.model import Piece, What

WIDEST = 40_000
"""Product of two runs' lengths up to which difflib compares them."""
BUDGET = 500_000
"""Sum of these products for two texts: half a second as a rule."""
DEEPEST = 8
_SENTENCE = re.compile(r"[^\n.!?]*[\n.!?]+|[^\n.!?]+")
_TOKEN = re.compile(r"(\s*)(\w+|[^\w\s]|\Z)")
Match = tuple[int, int, int]
"""Where a run of equal tokens begins in either, and its length."""


def pieces(before: str, after: str) -> tuple[Piece, ...]:
    """What was kept, removed and added, in reading order; no two neighbours are of one sort."""
    return tuple(_joined(_pieces(before, after)))


def _pieces(before: str, after: str) -> Iterator[Piece]:
    old, new = _SENTENCE.findall(before), _SENTENCE.findall(after)
    budget = [BUDGET]
    for equal, a, b, c, d in _runs(old, new, budget):
        one, other = "".join(old[a:b]), "".join(new[c:d])
        if equal:
            yield Piece(What.KEPT, one)
        else:
            yield from _words(one, other, budget)


def _words(before: str, after: str, budget: list[int]) -> Iterator[Piece]:
    old, new = _TOKEN.findall(before), _TOKEN.findall(after)
    for equal, a, b, c, d in _runs([word for _, word in old], [word for _, word in new], budget):
        if not equal:
            yield Piece(What.REMOVED, "".join(space + word for space, word in old[a:b]))
            yield Piece(What.ADDED, "".join(space + word for space, word in new[c:d]))
            continue
        for (space, word), (other, _) in zip(old[a:b], new[c:d], strict=True):
            if space != other:
                yield Piece(What.REMOVED, space)
                yield Piece(What.ADDED, other)
                yield Piece(What.KEPT, word)
            else:
                yield Piece(What.KEPT, space + word)


def _runs(
    old: Sequence[str], new: Sequence[str], budget: list[int]
) -> Iterator[tuple[bool, int, int, int, int]]:
    """Runs that are equal and runs that are not, in order: whether, and from where to where in either."""
    a = c = 0
    for begin, other, length in [*_matches(old, new, 0, 0, budget, 0), (len(old), len(new), 0)]:
        if begin > a or other > c:
            yield False, a, begin, c, other
        if length:
            yield True, begin, begin + length, other, other + length
        a, c = begin + length, other + length


def _matches(
    old: Sequence[str], new: Sequence[str], a: int, c: int, budget: list[int], depth: int
) -> Iterator[Match]:
    """Equal runs of two lists that begin at places a and c of the whole."""
    least = min(len(old), len(new))
    begin = next((i for i in range(least) if old[i] != new[i]), least)
    end = next((i for i in range(least - begin) if old[-1 - i] != new[-1 - i]), least - begin)
    if begin:
        yield a, c, begin
    one, other = old[begin : len(old) - end], new[begin : len(new) - end]
    if one and other:
        yield from _between(one, other, a + begin, c + begin, budget, depth)
    if end:
        yield a + len(old) - end, c + len(new) - end, end


def _between(
    old: Sequence[str], new: Sequence[str], a: int, c: int, budget: list[int], depth: int
) -> Iterator[Match]:
    area = len(old) * len(new)
    if area <= min(WIDEST, budget[0]):
        budget[0] -= area
        for i, j, length in SequenceMatcher(None, old, new, autojunk=False).get_matching_blocks():
            if length:
                yield a + i, c + j, length
        return
    anchors = _anchors(old, new) if depth < DEEPEST else []
    i = j = 0
    for x, y in [*anchors, (len(old), len(new))] if anchors else ():
        yield from _matches(old[i:x], new[j:y], a + i, c + j, budget, depth + 1)
        if x < len(old):
            yield a + x, c + y, 1
        i, j = x + 1, y + 1


def _anchors(old: Sequence[str], new: Sequence[str]) -> list[tuple[int, int]]:
    """Places of tokens that occur once on either side: the longest row of them that rises in both."""
    ours, theirs = Counter(old), Counter(new)
    places = {token: place for place, token in enumerate(new) if theirs[token] == 1}
    pairs = [(i, places[token]) for i, token in enumerate(old) if ours[token] == 1 and token in places]
    tops: list[int] = []  # the smallest place at which a row of each length ends
    ends: list[int] = []  # which pair that is
    before: list[int] = []  # of each pair, the one before it in its row
    for number, (_, place) in enumerate(pairs):
        length = bisect_left(tops, place)
        before.append(ends[length - 1] if length else -1)
        tops[length : length + 1] = [place]
        ends[length : length + 1] = [number]
    row = []
    at = ends[-1] if ends else -1
    while at >= 0:
        row.append(pairs[at])
        at = before[at]
    return row[::-1]


def _joined(found: Iterator[Piece]) -> Iterator[Piece]:
    """Neighbours of one sort as one piece; between two that are kept, what was removed comes before what was added."""
    kept, removed, added = "", "", ""
    for one in found:
        if one.what is What.KEPT:
            if removed or added:
                yield from _told(kept, removed, added)
                kept, removed, added = "", "", ""
            kept += one.text
        elif one.what is What.REMOVED:
            removed += one.text
        else:
            added += one.text
    yield from _told(kept, removed, added)


def _told(kept: str, removed: str, added: str) -> Iterator[Piece]:
    for what, text in ((What.KEPT, kept), (What.REMOVED, removed), (What.ADDED, added)):
        if text:
            yield Piece(what, text)
