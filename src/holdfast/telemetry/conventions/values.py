"""Converters from what is on the wire to typed values. Each returns None for "says nothing" and raises
ValueError, TypeError or OverflowError for a value that cannot be what its name claims."""

from __future__ import annotations

import math
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec

MOST_TOKENS = 10**12  # no single call holds more, as pricing has it too
LONGEST_NAME = 512  # a model, user or route name beyond this is not a name


def text(value: Any) -> str | None:
    """A short name; numbers become their digits. Raises ValueError for structures and over-long text."""
    if type(value) is str:
        if len(value) > LONGEST_NAME:
            raise ValueError("too long for a name")
        return value or None
    if value is None:
        return None
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return str(value)
    raise ValueError("not a name")


def count(value: Any) -> int | None:
    """A whole number of tokens, zero or more. Raises ValueError for anything else."""
    if type(value) is int:
        number = value
    elif value is None:
        return None
    elif isinstance(value, bool):
        raise ValueError("not a count")
    elif (isinstance(value, float) and value.is_integer()) or (isinstance(value, str) and len(value) < 20):
        number = int(value)
    else:
        raise ValueError("not a count")
    if not 0 <= number <= MOST_TOKENS:
        raise ValueError("not a count")
    return number


def flag(value: Any) -> bool | None:
    """A truth value, also written as text. Raises ValueError for anything else."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return {"true": True, "false": False, "1": True, "0": False}[value.strip().lower()]
    raise ValueError("not a truth value")


def seconds(value: Any) -> float | None:
    """A finite, non-negative duration in whichever unit. Raises ValueError for anything else."""
    if value is None:
        return None
    if isinstance(value, bool):
        raise ValueError("not a duration")
    number = float(value)
    if not math.isfinite(number) or number < 0:
        raise ValueError("not a duration")
    return number


def number(value: Any) -> float | None:
    """A finite number of any sign. Raises ValueError for anything else."""
    if value is None:
        return None
    if isinstance(value, bool) or not math.isfinite(made := float(value)):
        raise ValueError("not a number")
    return made


def amount(value: Any) -> Decimal | None:
    """A finite, non-negative amount of money. Raises ValueError for anything else."""
    if value is None:
        return None
    try:
        number = Decimal(str(value))
    except InvalidOperation as failure:
        raise ValueError("not an amount") from failure
    if not number.is_finite() or number < 0 or number > Decimal(10) ** 12:
        raise ValueError("not an amount")
    return number


def parameter(value: Any) -> Any:
    """A request parameter: a scalar or a list of scalars, as it came. Raises ValueError otherwise."""
    if isinstance(value, (list, tuple)):
        if not all(isinstance(item, (str, int, float, bool)) for item in value):
            raise ValueError("not a parameter")
        return list(value)
    if value is None or isinstance(value, (str, int, float, bool)):
        return value
    raise ValueError("not a parameter")


def status_code(value: Any) -> int | None:
    """An HTTP status. Raises ValueError for anything else."""
    number = count(value)
    if number is not None and not 100 <= number <= 599:
        raise ValueError("not an HTTP status")
    return number


def anything(value: Any) -> Any:
    """As it came; an empty string says nothing."""
    return None if value == "" else value


def loads(value: str) -> Any:
    """Parse JSON. Raises ValueError when it is malformed or nested beyond reason."""
    try:
        return msgspec.json.decode(value)
    except (msgspec.DecodeError, RecursionError, UnicodeEncodeError) as failure:
        raise ValueError("malformed JSON") from failure
