"""The class of an edit of one text, with what in it says so."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from holdfast.changes.model import ChangeClass
from holdfast.changes.rules import hidden, words

SHOWN = 5
LONGEST_SHOWN = 40
Said = tuple[ChangeClass, str]


def edits(old: str, new: str) -> list[Said]:
    """What an edit does to a text, each with its class; nothing where both are the same. See also `unseen`."""
    if old == new:
        return []
    one, other = words.plain(old), words.plain(new)
    before, after = words.tags(one), words.tags(other)
    if before != after:
        return [(ChangeClass.MAJOR, f"placeholders or tags of the template: {_more(before, after)}")]
    return [_worded(one, other)]


def unseen(old: str, new: str) -> list[Said]:
    """What a reader of the new text would not see, or take for something else."""
    found = []
    points = hidden.unseen_added(old, new)
    if points:
        found.append((ChangeClass.MAJOR, f"invisible characters: {', '.join(points)}"))
    words = hidden.alike_added(old, new)
    if words:
        said = _listed(words)
        found.append((ChangeClass.MAJOR, f"letters of other alphabets that look like the usual ones: {said}"))
    return found


def _worded(old: str, new: str) -> Said:
    if max(len(old), len(new)) > words.LONGEST:
        return ChangeClass.MODERATE, "the text is too long to tell formatting from words"
    before, after = words.tokens(old), words.tokens(new)
    ours, theirs = [one.text for one in before], [one.text for one in after]
    if ours != theirs:
        if "".join(ours).casefold() == "".join(theirs).casefold() and len(ours) == len(theirs):
            return ChangeClass.MODERATE, f"capital letters: {_more(ours, theirs)}"
        return ChangeClass.MODERATE, f"words or signs of the instruction: {_more(ours, theirs)}"
    if bool(old.strip()) != bool(new.strip()):
        return ChangeClass.MODERATE, "the text became empty, or was"
    turned = words.turned(before, after)
    if turned:
        return ChangeClass.MODERATE, f"punctuation beside what negates or limits: {_listed(turned)}"
    moved = words.moved(before, after)
    if moved:
        return ChangeClass.MODERATE, f"a comma or full stop moved, from behind {_listed(moved)}"
    return ChangeClass.MINOR, "punctuation or formatting; the words are the same"


def _more(old: Iterable[str], new: Iterable[str]) -> str:
    """What is gone and what has come, shortly."""
    ours, theirs = Counter(old), Counter(new)
    gone, come = list((ours - theirs).elements()), list((theirs - ours).elements())
    said = [f"{word} {_listed(some)}" for word, some in (("removed", gone), ("added", come)) if some]
    return "; ".join(said) or "in another order"


def _listed(words: list[str]) -> str:
    shown = [one if len(one) <= LONGEST_SHOWN else f"{one[:LONGEST_SHOWN]}…" for one in words[:SHOWN]]
    more = len(words) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")
