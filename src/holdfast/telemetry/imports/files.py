"""From a file's bytes to its records: JSON, JSON lines and CSV, plain or gzip, read piece by piece.

A record that is broken is told with its place and what follows is read on; memory is bounded by the largest record.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import re
import zlib
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import IO, Any, Final, NamedTuple

import msgspec

PIECE: Final = 1 << 20
LARGEST: Final = 64 << 20
"""Bytes of one record: what is larger is refused."""
LISTS: Final = re.compile(r'"(?:data|observations|traces|generations|logs|results|items|rows)"\s*:\s*\[')
_SPACE: Final = re.compile(r"[\s,]*")
_NEXT: Final = re.compile(r"\}\s*,\s*(?=\{)")
_FIELD: Final = 1 << 27


class Broken(NamedTuple):
    """What stands where a record should, and cannot be read."""

    reason: str


Stream = Any
"""A buffered reader of bytes, which `peek`s."""
Record = tuple[int, Any]
"""The number of a record (a line's number in JSON lines, else counted from 1), and its value or Broken."""


class File(NamedTuple):
    """An open export: its records, how it numbers them, and how far the file has been read."""

    records: Iterator[Record]
    counted: str  # line, row or record
    position: Callable[[], int]  # bytes of the file itself


def open_file(raw: IO[bytes], name: str, *, exact: bool = False) -> File:
    """An export by what it looks like. `exact`: numbers with a point are read as Decimal, for small files of money."""
    head = raw.read(2)
    raw.seek(0)
    packed = head == b"\x1f\x8b"
    source: Any = gzip.GzipFile(fileobj=raw) if packed else raw
    stream = io.BufferedReader(_Whole(source), PIECE)
    records, counted = _records(stream, name.removesuffix(".gz").lower(), exact)
    return File(records, counted, raw.tell)


class Cut(Exception):
    """The file ends before it should."""


class _Whole(io.RawIOBase):
    """A stream that says in words where a compressed file is cut off or spoiled."""

    def __init__(self, source: IO[bytes]) -> None:
        self._source = source

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        try:
            found = self._source.read(len(buffer))
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise Cut(f"the compressed file is cut off or spoiled here ({error}): export it again") from error
        buffer[: len(found)] = found
        return len(found)


def _records(stream: Stream, name: str, exact: bool) -> tuple[Iterator[Record], str]:
    try:
        start = _peek(stream).lstrip(b"\xef\xbb\xbf \t\r\n")
    except Cut as cut:
        return iter([(1, Broken(str(cut)))]), "record"
    if start[:1] == b"[":
        return _guarded(_elements(stream, exact, "")), "record"
    if start[:1] == b"{" and not name.endswith(".csv"):
        line, more, _ = start.partition(b"\n")
        whole = _whole(line)
        if (whole and (more or name.endswith((".jsonl", ".ndjson")))) or name.endswith((".jsonl", ".ndjson")):
            return _guarded(_lines(stream, exact)), "line"
        return _guarded(_document(stream, exact)), "record"
    if not start:
        return iter(()), "record"
    return _guarded(_rows(stream)), "row"


def _peek(stream: Stream) -> bytes:
    found: bytes = stream.peek(PIECE)
    return found


def _whole(line: bytes) -> bool:
    try:
        msgspec.json.decode(line)
    except (msgspec.DecodeError, RecursionError, UnicodeError):
        return False
    return True


def _guarded(records: Iterator[Record]) -> Iterator[Record]:
    """Records until the end, or until a spoiled compressed file ends."""
    number = 0
    try:
        for number, value in records:
            yield number, value
    except Cut as cut:
        yield number + 1, Broken(str(cut))


def _decoder(exact: bool) -> Callable[[bytes], Any]:
    if exact:
        return msgspec.json.Decoder(float_hook=Decimal).decode
    return msgspec.json.Decoder().decode


def _lines(stream: Stream, exact: bool) -> Iterator[Record]:
    decode = _decoder(exact)
    number = 0
    while line := stream.readline(LARGEST):
        number += 1
        if len(line) >= LARGEST and not line.endswith(b"\n"):
            while (rest := stream.readline(LARGEST)) and not rest.endswith(b"\n"):
                pass
            yield number, Broken(f"it is over {LARGEST >> 20} MiB")
            continue
        text = line.strip()
        if number == 1:
            text = text.removeprefix(b"\xef\xbb\xbf")
        if not text:
            continue
        try:
            value = decode(text)
        except (msgspec.DecodeError, RecursionError, UnicodeError, ArithmeticError) as error:
            yield number, Broken(f"it is no JSON in UTF-8: {error}")
            continue
        yield number, value


def _document(stream: Stream, exact: bool) -> Iterator[Record]:
    """One JSON object: a page with a list of records in it, or a record itself; several one after the other."""
    start = _peek(stream).decode("utf-8", "replace")
    found = LISTS.search(start)
    depth = start[: found.start()].count("{") - start[: found.start()].count("}") if found else 0
    if found is not None and depth == 1 and '"choices"' not in start[: found.start()]:
        opening = found.group()
        if not (opening.startswith('"observations"') and '"timestamp"' in start[: found.start()]):
            yield from _elements(stream, exact, opening)
            return
    yield from _elements(stream, exact, "", alone=True)


def _elements(stream: Stream, exact: bool, opening: str, *, alone: bool = False) -> Iterator[Record]:
    """The elements of a JSON list, one by one. `opening`: where in the document it begins; `alone`: there is no list."""
    scan = json.JSONDecoder(parse_float=Decimal if exact else None).raw_decode
    text = _Text(stream)
    text.fill()
    if opening:
        text.at = text.text.index(opening) + len(opening)
    elif not alone:
        text.at = text.text.index("[") + 1
    number = 0
    while text.skip():
        if text.text[text.at] in "]}":
            return
        number += 1
        begun = text.at
        try:
            value, text.at = scan(text.text, begun)
        except (ValueError, RecursionError) as error:
            place = getattr(error, "pos", text.at)
            truncated = len(text.text) - place < 40 or str(error).startswith("Unterminated")
            if truncated and not text.ended and len(text.text) - text.at < LARGEST:
                text.fill()
                number -= 1
                continue
            if truncated and text.ended and not _NEXT.search(text.text, text.at + 1):
                yield number, Broken("the file ends in the middle of it: it was cut off; export it again")
                return
            yield number, Broken(f"it is no JSON: {error}"[:300])
            if not text.resume(max(place, text.at + 1)):
                return
            continue
        yield (
            number,
            Broken("it is not UTF-8") if text.spoiled and _spoiled(text.text[begun : text.at]) else value,
        )


def _spoiled(text: str) -> bool:
    """Whether bytes that are no UTF-8 stand in a text."""
    try:
        return not text.isascii() and not text.encode()
    except UnicodeEncodeError:
        return True


class _Text:
    """A window of text over a stream that moves on with what is read from it."""

    def __init__(self, stream: Stream) -> None:
        self._stream = io.TextIOWrapper(stream, "utf-8-sig", errors="surrogateescape", newline="")
        self.text = ""
        self.at = 0
        self.ended = False
        self.spoiled = False

    def fill(self) -> None:
        """Reads on: as much again as is held, at least a piece."""
        more = self._stream.read(max(PIECE, len(self.text) - self.at))
        self.ended = not more
        self.spoiled = self.spoiled or _spoiled(more)
        self.text, self.at = self.text[self.at :] + more, 0

    def skip(self) -> bool:
        """Goes over space and commas; False at the end of the file."""
        while True:
            found = _SPACE.match(self.text, self.at)
            self.at = found.end() if found else self.at
            if self.at < len(self.text):
                return True
            if self.ended:
                return False
            self.fill()

    def resume(self, place: int) -> bool:
        """Goes on after a broken record, where the next one seems to begin; False where none does."""
        self.at = place
        while True:
            found = _NEXT.search(self.text, max(self.at - 1, 0))
            if found:
                self.at = found.end()
                return True
            self.at = max(len(self.text) - 1000, self.at)
            if self.ended:
                return False
            self.fill()


def _rows(stream: Stream) -> Iterator[Record]:
    """Rows of a CSV with a header, or a separated file like it."""
    csv.field_size_limit(_FIELD)
    text = io.TextIOWrapper(stream, "utf-8-sig", errors="surrogateescape", newline="")
    first = text.readline()
    delimiter = max(",;\t", key=first.count)
    names = next(csv.reader([first], delimiter=delimiter), [])
    if len(names) < 2 or not first.strip().isprintable():
        yield (
            1,
            Broken(
                "this is no JSON, no JSON lines and no CSV with a header: see the file formats in the manual"
            ),
        )
        return
    reader = csv.reader(text, delimiter=delimiter)
    number = 1
    while True:
        number += 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield number, Broken(f"it is no row of CSV: {error}")
            continue
        if not cells:
            continue
        if len(cells) != len(names):
            yield number, Broken(f"it has {len(cells)} cells where the header has {len(names)}")
            continue
        if any(not cell.isascii() and _spoiled(cell) for cell in cells):
            yield number, Broken("it is not UTF-8")
            continue
        yield (
            number,
            {
                name: cell.removeprefix("'") if cell[1:2] in _GUARDED else cell
                for name, cell in zip(names, cells, strict=True)
            },
        )


_GUARDED: Final = frozenset("=+-@")
"""What an export puts an apostrophe before, so that no spreadsheet takes a cell for a formula."""
