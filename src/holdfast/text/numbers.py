"""Personal data written in numbers: payment cards, IBANs, phone numbers, by checksum or numbering plan."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from types import MappingProxyType

import phonenumbers

_ROW = re.compile(r"[0-9](?:[ \u00a0().\-/]{0,3}[0-9]){6,}")
"""Seven or more digits close together. It begins with a plain set, which the engine searches for quickly."""
_CARD_RUN = re.compile(r"[0-9](?:[ \u00a0-]?[0-9]){12,}")
_GROUP = re.compile(r"[0-9]+")
_TWO_DIGITS = re.compile(r"[0-9][0-9]")
_DATE = re.compile(
    r"(?:[12][0-9]{3}[-/.][01]?[0-9][-/.][0-3]?[0-9]|[0-3]?[0-9][-/.][01]?[0-9][-/.][12][0-9]{3})"
    r"(?![0-9])[ ]{0,3}"
)
_ADDRESS = re.compile(r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}$")
_PHONE_DIGITS = (7, 17)
_ROW_DIGITS = 40

_DIGITS_ALONE = bytes(48 if 48 <= byte <= 57 else 120 for byte in range(256))
_SEPARATORS = b" ().-/\xc2\xa0"
_CLASSES = (
    bytes(48 if 48 <= byte <= 57 else 97 if chr(byte).isalpha() else 32 for byte in range(128)) + b" " * 128
)

# Leading digits of card numbers as (first, last), and the lengths that they come in.
_CARDS: tuple[tuple[int, int, frozenset[int]], ...] = (
    (4000, 4999, frozenset({13, 16, 19})),  # Visa
    (5100, 5599, frozenset({16})),  # Mastercard
    (2221, 2720, frozenset({16})),
    (3400, 3499, frozenset({15})),  # American Express
    (3700, 3799, frozenset({15})),
    (3000, 3059, frozenset(range(14, 20))),  # Diners
    (3600, 3699, frozenset(range(14, 20))),
    (3800, 3999, frozenset(range(14, 20))),
    (3528, 3589, frozenset(range(16, 20))),  # JCB
    (6011, 6011, frozenset(range(16, 20))),  # Discover
    (6440, 6599, frozenset(range(16, 20))),
    (6200, 6299, frozenset(range(16, 20))),  # UnionPay
    (2200, 2204, frozenset(range(16, 20))),  # Mir
    (6000, 6099, frozenset({16})),  # RuPay
    (8100, 8299, frozenset({16})),
    (5000, 5099, frozenset(range(13, 20))),  # Maestro
    (5600, 5899, frozenset(range(13, 20))),
    (6700, 6799, frozenset(range(13, 20))),
)
_DOUBLED = bytes.maketrans(b"0123456789", b"0246813579")

_IBAN_LENGTHS = MappingProxyType(
    {
        country: length
        for length, countries in (
            (15, "NO"),
            (16, "BE"),
            (18, "DK FI FK FO GL NL SD"),
            (19, "MK SI"),
            (20, "AT BA EE KZ LT LU MN XK"),
            (21, "CH HR LI LV"),
            (22, "BG BH CR DE GB GE IE ME RS VA"),
            (23, "AE GI IL IQ OM SO TL"),
            (24, "AD CZ ES MD PK RO SA SE SK TN VG"),
            (25, "LY PT ST"),
            (26, "IS TR"),
            (27, "BI DJ FR GR IT MC MR SM"),
            (28, "AL AZ BY CY DO GT HN HU LB NI PL SV"),
            (29, "BR EG PS QA UA"),
            (30, "JO KW MU YE"),
            (31, "MT SC"),
            (32, "LC"),
            (33, "RU"),
        )
        for country in countries.split()
    }
)
"""Country -> length, as published in the IBAN registry."""


_ROWS = tuple((count, b"0" * count) for count in (7, 13))


def digits_together(text: str) -> int:
    """How many digits stand close together in `text` at least: 0, 7 (a phone) or 13 (a card)."""
    packed = text.encode("utf-8", "replace").translate(_DIGITS_ALONE, _SEPARATORS)
    longest = 0
    for count, row in _ROWS:
        if row not in packed:
            break
        longest = count
    return longest


def letters_then_digits(text: str) -> bool:
    """False when no two letters are followed by two digits in `text`: then there is no IBAN to look for."""
    return b"aa00" in text.encode("utf-8", "replace").translate(_CLASSES)


def cards(text: str) -> Iterator[tuple[int, int]]:
    """Payment card numbers: 13 to 19 digits with single separators, a known prefix, and a right Luhn sum.

    In a longer row of digit groups, a number may begin and end at any group.
    """
    for run in _CARD_RUN.finditer(text):
        if not _alone(text, *run.span()):
            continue
        groups = [group.span() for group in _GROUP.finditer(text, *run.span())]
        digits = _GROUP.findall(run.group())
        first = 0
        while first < len(groups):
            last = _card_from(digits, first)
            if last is None:
                first += 1
            else:
                yield groups[first][0], groups[last][1]
                first = last + 1


def _card_from(groups: list[str], first: int) -> int | None:
    """The index of the group at which a card number that begins with `first` ends; the longest one."""
    digits = ""
    found = None
    for last in range(first, min(first + 19, len(groups))):
        digits += groups[last]
        if len(digits) > 19:
            break
        if len(digits) >= 13 and len(digits) in _lengths(digits[:4]) and luhn(digits):
            found = last
        elif len(digits) == 4 and not _lengths(digits):
            break
    return found


@lru_cache(maxsize=10_000)
def _lengths(prefix: str) -> frozenset[int]:
    """The lengths of card numbers that begin with these four digits."""
    number = int(prefix)
    return frozenset().union(*(lengths for low, high, lengths in _CARDS if low <= number <= high))


def luhn(digits: str) -> bool:
    """Luhn's check (US patent 2,950,048): every second digit from the right doubled, the sum ends in 0."""
    raw = digits.encode()
    total = sum(raw[::-2]) + sum(raw[-2::-2].translate(_DOUBLED))
    return (total - 48 * len(raw)) % 10 == 0


def ibans(text: str) -> Iterator[tuple[int, int]]:
    """International bank account numbers: the country's length and ISO 7064 mod 97-10; separators allowed."""
    done = 0
    for check in _TWO_DIGITS.finditer(text):
        start = check.start() - 2
        if start < done or not text[start].isalpha() or (start > 0 and text[start - 1].isalnum()):
            continue
        length = _IBAN_LENGTHS.get(text[start : check.start()].upper())
        if length is None:
            continue
        end, number = _gather(text, start, length)
        if len(number) == length and (end == len(text) or not text[end].isalnum()) and _mod_97(number):
            yield start, end
            done = end


def _gather(text: str, start: int, length: int) -> tuple[int, str]:
    """`length` letters and digits from `start` on, single separators between them skipped; where they end."""
    taken: list[str] = []
    index = start
    while index < len(text) and len(taken) < length:
        character = text[index]
        if character.isascii() and character.isalnum():
            taken.append(character)
        elif character not in " -\u00a0" or text[index - 1] in " -\u00a0":
            break
        index += 1
    return index, "".join(taken)


def _mod_97(number: str) -> bool:
    turned = number[4:] + number[:4]
    return int("".join(str(int(character, 36)) for character in turned)) % 97 == 1


def phones(text: str, region: str | None) -> Iterator[tuple[int, int]]:
    """Phone numbers that the numbering plans know: with `+` or `00` anywhere, else as dialled in `region`.

    `region` is an ISO 3166 code. Dates and IP addresses are left alone, and so is what hangs on letters.
    """
    if region is None and "+" not in text and "00" not in text:
        return
    for row in _ROW.finditer(text):
        start, end = row.span()
        date = _DATE.match(text, start, end)
        if date is not None:
            start = date.end()
        before = text[start - 1] if start else ""
        international = before == "+" or text.startswith("00", start)
        if (region is None and not international) or not _alone(text, start, end):
            continue
        digits = sum(map(str.isdigit, text[start:end]))
        if before and before in "+(":
            start -= 1
        number = text[start:end]
        if _PHONE_DIGITS[0] <= digits <= _PHONE_DIGITS[1]:
            if not _ADDRESS.match(number) and _dialable(number, region):
                yield start, end
        elif _PHONE_DIGITS[1] < digits <= _ROW_DIGITS and region is not None:
            yield from _several(text, start, end, region)


def _alone(text: str, start: int, end: int) -> bool:
    """Whether digits are not a piece of a word or of a longer number such as a time or a decimal fraction."""
    before, after = text[max(0, start - 2) : start], text[end : end + 2]
    if before and (before[-1].isalnum() or before[-1] == "_"):
        return False
    if after and (after[0].isalnum() or after[0] == "_"):
        return False
    if len(before) == 2 and before[-1] in ".,:/-" and before[0].isdigit():
        return False
    return not (len(after) == 2 and after[0] in ".,:/-" and after[1].isdigit())


def _dialable(number: str, region: str | None) -> bool:
    if number.startswith("00") and region is None:
        number = "+" + number[2:]
    try:
        return phonenumbers.is_valid_number(phonenumbers.parse(number, region))
    except phonenumbers.NumberParseException:
        return False


def _several(text: str, start: int, end: int, region: str) -> Iterator[tuple[int, int]]:
    """Numbers that stand in one row with nothing but separators between them; a dozen attempts at most."""
    groups = [group.span() for group in _GROUP.finditer(text, start, end)]
    attempts = 12
    first = 0
    while first < len(groups) and attempts:
        ends = [stop for _, stop in groups[first:] if stop - groups[first][0] <= 22]
        for stop in reversed(ends):
            begin = groups[first][0]
            if sum(map(str.isdigit, text[begin:stop])) < _PHONE_DIGITS[0] or not attempts:
                break
            attempts -= 1
            if _dialable(text[begin:stop], region):
                yield begin, stop
                first += ends.index(stop)
                break
        first += 1
