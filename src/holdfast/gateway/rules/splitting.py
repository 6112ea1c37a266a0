"""Which variant of a route a request takes: weighted rendezvous hashing, so that a change of weights moves few.

Each variant scores a request by -w / ln(u), with u a hash of request and variant in (0, 1); the highest wins (Thaler and
Ravishankar 1998; weights after Schindelhauer and Schomaker 2005). When one weight rises, requests move to that variant
alone and never between the others; when it falls again, the same ones move back.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from hashlib import blake2b

from holdfast.gateway.model import Dimensions, Route, Variant


def chosen(variants: Sequence[Variant], key: str) -> Variant | None:
    """The variant for a key; None where none has a weight above 0. Pure: the same key takes the same one everywhere."""
    best: Variant | None = None
    highest = 0.0
    for variant in variants:
        if variant.weight <= 0:
            continue
        score = -variant.weight / math.log(_fraction(key, variant.release))
        if best is None or score > highest:
            best, highest = variant, score
    return best


def _fraction(key: str, release: str) -> float:
    """Uniform in the open interval (0, 1)."""
    digest = blake2b(f"{release}\0{key}".encode(errors="replace"), digest_size=8).digest()
    return (int.from_bytes(digest) + 0.5) / 2.0**64


def sticky_key(route: str, of: Route, dimensions: Dimensions, otherwise: str) -> str:
    """What a request is told apart by: the first dimension of the route's list that it has, else `otherwise`."""
    for name in of.sticky:
        value = getattr(dimensions, name, "")
        if value:
            return f"{route}\0{name}\0{value}"
    return f"{route}\0{otherwise}"
