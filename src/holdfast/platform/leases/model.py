"""Nouns: a lease."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Lease:
    """Who has something until when; `value` is a number that the holder keeps with it."""

    name: str
    holder: str
    until: datetime
    value: int
