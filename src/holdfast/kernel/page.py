"""Keyset pages: a slice of a list, and the opaque cursor at which the next slice begins."""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass
from typing import Generic, TypeVar

from holdfast.kernel.errors import Invalid

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """`items` in order; `next_cursor` is None on the last page."""

    items: list[T]
    next_cursor: str | None


def encode_cursor(*key: str | int) -> str:
    """The sort key of the last item, as URL-safe text."""
    return base64.urlsafe_b64encode(json.dumps(key).encode()).decode().rstrip("=")


def decode_cursor(cursor: str, kinds: tuple[type, ...]) -> tuple[str | int, ...]:
    """The sort key back from `encode_cursor`. Raises Invalid when it is not one of ours."""
    try:
        key = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (ValueError, binascii.Error, UnicodeDecodeError) as error:
        raise Invalid(
            "this cursor was not given out here; start from the first page", where="cursor"
        ) from error
    if not isinstance(key, list) or [type(part) for part in key] != list(kinds):
        raise Invalid("this cursor belongs to another list; start from the first page", where="cursor")
    return tuple(key)
