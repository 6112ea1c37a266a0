"""What went wrong, by what people write: a failure mode for each item, and how sure that is.

An item's mode is the one whose phrases it is nearest to in meaning, helped by words that give a mode away and by what the
item says without words (a label, the length of a correction, how the call ended). The score is a share of softmax, no
probability: `calibration` makes one of it, from what people have confirmed (Platt 1999; isotonic: Zadrozny & Elkan 2002).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


class Mode(StrEnum):
    """A way to fail."""

    WRONG = "wrong fact"
    MISSING = "missing info"
    REFUSAL = "refusal"
    LONG = "too long"
    TONE = "tone"
    FORMAT = "format"
    SLOW = "slow"
    OTHER = "other"


PHRASES: MappingProxyType[Mode, tuple[str, ...]] = MappingProxyType(
    {
        Mode.WRONG: (
            "this answer is wrong", "the information is incorrect", "it made that up", "the price it gave is not right",
            "that is outdated", "false, the real number is different",
        ),
        Mode.MISSING: (
            "it did not answer my question", "the answer is incomplete", "it left out the important part",
            "not enough detail", "it does not say how", "too vague to be of use",
        ),
        Mode.REFUSAL: (
            "it refused to help me", "it said it cannot do that", "it would not answer", "it declined my request",
            "sorry I can't help with that is all it said",
        ),
        Mode.LONG: (
            "the answer is far too long", "too much text", "it rambles on and on", "get to the point", "too wordy",
        ),
        Mode.TONE: (
            "the tone was rude", "it sounds condescending", "it was unfriendly", "too casual for a customer",
            "it lectured me", "impolite answer",
        ),
        Mode.FORMAT: (
            "the formatting is broken", "I asked for a table", "the list is not readable", "this is not valid JSON",
            "the markdown is a mess", "wrong language, I write in another one",
        ),
        Mode.SLOW: (
            "it took forever to answer", "the answer came too slowly", "it timed out", "I waited very long", "it hangs",
        ),
    }
)  # fmt: skip
_WORDS = MappingProxyType(
    {
        Mode.WRONG: r"wrong|incorrect|not (?:true|right|correct)|false\b|made (?:that|it|this) up|outdated|hallucinat|"
        r"falsch|stimmt nicht|\bfaux\b|incorrecto",
        Mode.MISSING: r"missing|incomplete|did(?: not|n't) (?:answer|say|mention)|does(?: not|n't) (?:answer|say)|left out|"
        r"vague|unvollst|fehlt|incompl[eè]t",
        Mode.REFUSAL: r"refus|declin|won't (?:help|answer)|would(?: not|n't) (?:help|answer)|can(?:not|'t) help|"
        r"verweiger|weigert",
        Mode.LONG: r"too long|too (?:much text|wordy|verbose)|rambl|lengthy|zu lang|trop long|demasiado largo",
        Mode.TONE: r"\btone\b|rude|unfriendly|impolite|condescend|arrogan|patroni[sz]|unh[oö]flich|unfreundlich",
        Mode.FORMAT: r"format|markdown|\bjson\b|\btable\b|bullet|layout|line ?break|wrong language",
        Mode.SLOW: r"slow|takes? (?:too long|forever|ages)|took (?:too long|forever|ages)|timed? ?out|waited|"
        r"\bhangs?\b|langsam",
    }
)
_SAYS = {mode: re.compile(words, re.IGNORECASE) for mode, words in _WORDS.items()}
MODES = tuple(PHRASES)
WORD = 0.25
"""What a word that gives a mode away adds to the cosine."""
NOTHING = 0.35
"""The cosine below which nothing is near: that of `other`."""
HEAT = 0.08
FEW, MANY = 20, 60
"""Confirmed items from which a score is calibrated by a curve of two figures, and by one of any rising shape."""


def phrases() -> list[str]:
    """What is to be embedded, in the order that `modes` takes it."""
    return [one for some in PHRASES.values() for one in some]


def modes(
    vectors: NDArray[np.float32],
    spoken: NDArray[np.float32],
    texts: Sequence[str],
    hints: Sequence[Mode | None],
) -> tuple[list[Mode], Floats]:
    """Each item's mode, and its score (n,) from 0 to 1. `vectors` (n, 384) of the texts, `spoken` those of `phrases()`.

    `hints`: what an item says without words; it counts as a word does, and alone where there is no text.
    """
    owner = np.asarray([place for place, some in enumerate(PHRASES.values()) for _ in some])
    cosines = vectors @ spoken.T
    near = np.stack([cosines[:, owner == place].max(axis=1) for place in range(len(MODES))], axis=1)
    near = np.hstack([near, np.full((len(texts), 1), NOTHING)]).astype(float)
    for row, (text, hint) in enumerate(zip(texts, hints, strict=True)):
        if not text.strip():
            near[row] = NOTHING - WORD
            near[row, -1] = NOTHING
        for place, mode in enumerate(MODES):
            if _SAYS[mode].search(text[:1000]) or hint is mode:
                near[row, place] += WORD if text.strip() else 2 * WORD
    odds = np.exp((near - near.max(axis=1, keepdims=True)) / HEAT)
    share = odds / odds.sum(axis=1, keepdims=True)
    best = share.argmax(axis=1)
    every = (*MODES, Mode.OTHER)
    return [every[int(one)] for one in best], share[np.arange(len(texts)), best]


def hint(label: str | None) -> Mode | None:
    """What a label says that somebody chose, where it names a mode."""
    said = (label or "").strip().lower().replace("_", " ").replace("-", " ")
    for mode in Mode:
        if said == mode.value:
            return mode
    return next((mode for mode in MODES if said and _SAYS[mode].search(said)), None)


@dataclass(frozen=True, slots=True)
class Calibration:
    """How often a score is right. Knots in order: scores and the share that people confirmed at them.

    `method` empty: too few were confirmed, and what is shown is the score itself, which is no probability.
    """

    method: str = ""
    confirmed: int = 0
    scores: tuple[float, ...] = ()
    shares: tuple[float, ...] = ()

    def of(self, scores: Floats) -> Floats:
        """Probabilities (n,), or the scores where nothing is known."""
        if not self.method:
            return scores
        return np.interp(scores, self.scores, self.shares)


def calibration(scores: Sequence[float], right: Sequence[bool]) -> Calibration:
    """From scores (n,) that people have looked at, and whether they let the mode stand.

    Fewer than 20: none. Fewer than 60, or never wrong or right: Platt's curve, with his smoothed targets. Else isotonic.
    """
    n = len(scores)
    if n < FEW:
        return Calibration(confirmed=n)
    x, y = np.asarray(scores, dtype=float), np.asarray(right, dtype=float)
    grid = np.linspace(0, 1, 21)
    if n < MANY or y.min() == y.max():
        shares = _platt(x, y, grid)
        return Calibration("Platt", n, tuple(grid.tolist()), tuple(shares.tolist()))
    knots, shares = _isotonic(x, y)
    return Calibration("isotonic", n, tuple(knots.tolist()), tuple(shares.tolist()))


def _platt(x: Floats, y: Floats, at: Floats) -> Floats:
    yes, no = float(y.sum()), float(len(y) - y.sum())
    target = np.where(y > 0, (yes + 1) / (yes + 2), 1 / (no + 2))
    design = np.column_stack((x, np.ones(len(x))))
    weights = np.zeros(2)
    ridge = np.diag([0.1, 1e-6])  # keeps the slope finite where scores are alike
    for _ in range(50):
        p = 1 / (1 + np.exp(-np.clip(design @ weights, -30, 30)))
        curve = design.T @ (design * (p * (1 - p))[:, None]) + ridge
        step = np.linalg.solve(curve, design.T @ (target - p) - ridge @ weights)
        weights = weights + step
        if np.abs(step).max() < 1e-9:
            break
    weights[0] = max(weights[0], 0.0)  # a higher score is never worse
    found: Floats = 1 / (1 + np.exp(-np.clip(at * weights[0] + weights[1], -30, 30)))
    return found


def _isotonic(x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """Pool adjacent violators (Ayer et al. 1955), with one right and one wrong more so that no share is 0 or 1."""
    order = np.argsort(x, kind="stable")
    blocks: list[list[float]] = []  # sum, count, first score, last score
    for score, told in zip(x[order], y[order], strict=True):
        blocks.append([told, 1.0, score, score])
        while len(blocks) > 1 and blocks[-2][0] / blocks[-2][1] >= blocks[-1][0] / blocks[-1][1]:
            last = blocks.pop()
            blocks[-1] = [blocks[-1][0] + last[0], blocks[-1][1] + last[1], blocks[-1][2], last[3]]
    middles = np.asarray([(one[2] + one[3]) / 2 for one in blocks])
    shares = np.asarray([(one[0] + 1) / (one[1] + 2) for one in blocks])
    return middles, np.maximum.accumulate(shares)
