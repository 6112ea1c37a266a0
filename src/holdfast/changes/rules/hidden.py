"""Characters in a text that a reader cannot see, or takes for others."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter

_SELECTORS = frozenset("\ufe0e\ufe0f")
"""They show the character before them as text or as an emoji."""
_JOINERS = frozenset("\u200c\u200d")
_BLANK = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0")
"""Letters and marks that show nothing."""
_UNSEEN = frozenset({"Cf", "Cc", "Co", "Cn", "Cs"})
_SUSPECT = re.compile(r"[^\t\n\r -~]")
_LOOKS = str.maketrans(
    "аеорсухіјѕһԁԛԝвнкмтАВЕЗКМНОРСТУХІЈЅԌԚԜαοριυνκΑΒΕΖΗΙΚΜΝΟΡΤΥΧϹϳօսհոցքɑɡı",
    "aeopcyxijshdqwbhkmtABE3KMHOPCTYXIJSGQWaopiuvkABEZHIKMNOPTYXCjouhngfagi",
)
"""Letters of other alphabets, and the Latin ones that they look like."""
_WORD = re.compile(r"\w{2,}")


def unseen_added(old: str, new: str) -> list[str]:
    """Code points, as U+200B, that cannot be seen and that the new text has more of, at most ten."""
    more = Counter(_unseen(new)) - Counter(_unseen(old))
    return [f"U+{ord(one):04X}" for one in sorted(more)][:10]


def _unseen(text: str) -> list[str]:
    places = (found.start() for found in _SUSPECT.finditer(text))
    return [text[one] for one in places if _is_unseen(text[one]) and not _at_home(text, one)]


def _is_unseen(one: str) -> bool:
    return (
        unicodedata.category(one) in _UNSEEN
        or one in _BLANK
        or "\ufe00" <= one <= "\ufe0f"
        or "\U000e0000" <= one <= "\U000e0fff"
    )


def _at_home(text: str, place: int) -> bool:
    """Whether it does here what it is for: it makes an emoji, or joins letters in a script that asks for it."""
    before, after = text[place - 1 : place], text[place + 1 : place + 2]
    if text[place] in _SELECTORS:
        return bool(before) and (
            before in "#*0123456789" or unicodedata.category(before) in ("So", "Sm", "Po")
        )
    if text[place] in _JOINERS and before and after:
        letters = all(unicodedata.category(one) in ("Lo", "Mn", "Mc") for one in (before, after))
        emoji = before in _SELECTORS or unicodedata.category(before) in ("So", "Sk")
        return (letters and before not in _SELECTORS) or (emoji and unicodedata.category(after) == "So")
    return False


def alike_added(old: str, new: str) -> list[str]:
    """Words of the new text alone that look like other words, by letters of another alphabet; at most ten."""
    if new.isascii():
        return []
    known = set(_WORD.findall(old))
    looks = {_look(one) for one in known}
    found = []
    for one in dict.fromkeys(_WORD.findall(new)):
        if one in known or one.isascii():
            continue
        look = _look(one)
        if _mixed(one) or (look != one and look in looks):
            found.append(one)
    return found[:10]


def _look(word: str) -> str:
    return unicodedata.normalize("NFKC", word).translate(_LOOKS)


def _mixed(word: str) -> bool:
    """Whether it has Latin letters beside ones that only look so, or is set in letters meant for mathematics."""
    foreign = any(ord(one) in _LOOKS for one in word)
    latin = any(one.isascii() and one.isalpha() for one in word)
    return (foreign and latin) or any("\U0001d400" <= one <= "\U0001d7ff" for one in word)
