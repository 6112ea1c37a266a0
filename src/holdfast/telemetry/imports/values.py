"""Values as exports write them, also as text in CSV. Nothing stated is None; what cannot be read raises Misfit."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from hashlib import blake2b
from typing import Any, Final

import msgspec

from holdfast.telemetry.imports.reader import Misfit

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_FINE: Final = re.compile(r"(.*T.*\.\d{6})(\d{1,3})(Z|[+-]\d\d:?\d\d)?")
"""An instant with more digits than microseconds."""
_HEX: Final = frozenset("0123456789abcdef")
UNITS: Final = {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}
"""Nanoseconds of each unit of time."""
SIZES: Final = ((10**11, 10**9), (10**14, 10**6), (10**17, 10**3))
"""A number below this bound counts units of so many nanoseconds: it is a year that people live in."""
encode = msgspec.json.Encoder(decimal_format="number").encode


def json_text(value: Any) -> str:
    """A value as JSON text."""
    try:
        return encode(value).decode()
    except (TypeError, ValueError, RecursionError) as error:
        raise Misfit(f"a value cannot be written as JSON: {error}") from error


def parsed(value: Any, name: str) -> Any:
    """A value that may be JSON in text, as in CSV. Raises Misfit where it begins like JSON and is none."""
    if isinstance(value, str):
        if not value:
            return None
        if value[0] in "{[":
            try:
                return msgspec.json.decode(value)
            except (msgspec.DecodeError, RecursionError, UnicodeError) as error:
                raise Misfit(f"{name} is not whole JSON: {error}") from error
    return value


def mapping(value: Any, name: str) -> dict[str, Any]:
    """An object, also as JSON text; empty where nothing is stated."""
    value = parsed(value, name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise Misfit(f"{name} is {shown(value)}, not an object")
    return value


def shown(value: Any) -> str:
    """A value in a message: short."""
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "…"


def text(value: Any) -> str | None:
    """Text; numbers as their digits."""
    if value is None or value == "":
        return None
    if isinstance(value, str):
        return value
    if isinstance(value, (int, float, Decimal)) and not isinstance(value, bool):
        return str(value)
    raise Misfit(f"{shown(value)} stands where a text should")


def whole(value: Any, name: str = "a count") -> int | None:
    """A whole number, zero or more."""
    if value is None or value == "":
        return None
    try:
        if isinstance(value, bool):
            raise ValueError
        if isinstance(value, str):
            value = Decimal(value)
        number = int(value)
        if number != value or number < 0:
            raise ValueError
    except (ValueError, TypeError, ArithmeticError):
        raise Misfit(f"{name} is {shown(value)}, not a whole number") from None
    return number


def decimal(value: Any, name: str = "an amount") -> Decimal | None:
    """An exact number, as it was written."""
    if value is None or value == "":
        return None
    try:
        if isinstance(value, bool):
            raise ValueError
        number = value if isinstance(value, Decimal) else Decimal(str(value).strip())
        if not number.is_finite() or abs(number) > Decimal(10) ** 24:
            raise ValueError
    except (ValueError, InvalidOperation):
        raise Misfit(f"{name} is {shown(value)}, not a number") from None
    return number


def flag(value: Any) -> bool | None:
    """A truth value, also as text; None where it is neither."""
    if isinstance(value, bool):
        return value
    if isinstance(value, str):
        return {"true": True, "false": False, "1": True, "0": False, "t": True, "f": False}.get(value.lower())
    return None


def nanoseconds(value: Any, name: str, unit: str = "") -> int | None:
    """Unix nanoseconds of ISO 8601 text (UTC where it names no zone) or of a number in `unit`.

    A number without a unit is taken for seconds, milliseconds, microseconds or nanoseconds by its size.
    """
    if value is None or value == "":
        return None
    if isinstance(value, str):
        rest = 0
        if value[26:27].isdigit() and (fine := _FINE.fullmatch(value)):
            value, rest = fine[1] + (fine[3] or ""), int(fine[2].ljust(3, "0"))
        try:
            instant = datetime.fromisoformat(value)
        except ValueError:
            instant = None
        if instant is not None and not value.isdecimal():
            aware = instant if instant.tzinfo is not None else instant.replace(tzinfo=UTC)
            return (aware - EPOCH) // _MICROSECOND * 1000 + rest
        try:
            value = Decimal(value)
        except InvalidOperation:
            raise Misfit(f"{name} is {shown(value)}, not a time") from None
    number: int | float | Decimal
    if isinstance(value, (int, float, Decimal)) and not isinstance(value, bool) and math.isfinite(value):
        number = value
    else:
        raise Misfit(f"{name} is {shown(value)}, not a time")
    return _scaled(number, name, unit)


def _scaled(value: int | float | Decimal, name: str, unit: str) -> int:
    if abs(Decimal(value)) > 10**20:
        raise Misfit(f"{name} is {shown(value)}, which no clock has shown")
    if unit:
        scale = UNITS[unit]
    else:
        size = abs(Decimal(value))
        scale = next((scale for bound, scale in SIZES if size < bound), 1)
    if isinstance(value, float):
        return round(value * (scale // 1000)) * 1000 if scale > 1 else round(value)
    return int(value * scale)


def trace_id(source: str, text: str) -> str:
    """A trace id of 32 hex digits: the one given where it is one already (also as a UUID), else derived from it."""
    plain = text.lower() if len(text) == 32 else text.replace("-", "").lower() if len(text) == 36 else ""
    if len(plain) == 32 and _HEX.issuperset(plain) and plain.strip("0"):
        return plain
    return blake2b(f"{source}\0{text}".encode("utf-8", "replace"), digest_size=16).hexdigest()


def span_id(source: str, text: str) -> str:
    """A span id of 16 hex digits: the one given where it is one already, else derived from it."""
    if len(text) == 16 and _HEX.issuperset(text) and text.strip("0"):
        return text
    return blake2b(f"{source}\0{text}".encode("utf-8", "replace"), digest_size=8).hexdigest()
