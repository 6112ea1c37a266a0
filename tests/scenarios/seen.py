"""What an answer lets one see: a mark found in whatever dress, and answers compared without what changes by itself."""

from __future__ import annotations

import base64
import gzip
import html
import io
import re
from collections.abc import Iterable
from urllib.parse import quote, quote_plus, unquote_to_bytes

import httpx2
import pyarrow.parquet as parquet

_ESCAPED = re.compile(rb"\\u00([0-9a-fA-F]{2})|&#x([0-9a-fA-F]{2});")
_INSTANT = re.compile(
    r"\d{4}-\d\d-\d\d([T ]|%20)\d\d(:|%3A)\d\d((:|%3A)\d\d(\.\d+)?)?(Z|\+00:00|%2B00%3A00)?"
)
_MINTED = re.compile(
    r"\b(err|key|mem|grant|ws|sys|env|view|price|hold|erasure|ch|rule|alert|msg|dlv|sec)_[A-Za-z0-9]+|\bhf_[a-z2-7]+…?|token=[\w-]+"
)


def dresses(mark: str) -> list[bytes]:
    """A mark as it stands in bytes: plain, in hex, and in base64 at each of the three places it may begin."""
    plain = mark.encode()
    found = [plain, plain.hex().encode()]
    for before in range(3):
        text = base64.b64encode(b"\0" * before + plain)
        whole = text[4 if before else 0 : len(text) // 4 * 4 - 4]
        found += [whole, whole.replace(b"+", b"-").replace(b"/", b"_")]
    return found


def unwrapped(answer: httpx2.Response) -> list[bytes]:
    """Everything an answer says, in every reading: head and body, unescaped, unpacked, a Parquet file's rows."""
    body = answer.content
    if body[:2] == b"\x1f\x8b":
        body = gzip.decompress(body)
    head = "\n".join(f"{name}: {value}" for name, value in answer.headers.items()).encode()
    found = [
        head,
        unquote_to_bytes(head),
        body,
        unquote_to_bytes(body),
        html.unescape(body.decode("latin-1")).encode("latin-1", "replace"),
    ]
    found.append(_ESCAPED.sub(lambda one: bytes.fromhex((one[1] or one[2]).decode()), body))
    if body[:4] == b"PAR1":
        table = parquet.read_table(io.BytesIO(body))
        found.append(repr(table.to_pylist()).encode())
        found.append(repr(table.schema).encode())
    return found


def marks_in(answer: httpx2.Response, marks: Iterable[str], sent: Iterable[str] = ()) -> list[str]:
    """Which marks an answer shows. What the request itself said (`sent`) may be echoed, and is taken out first."""
    readings = unwrapped(answer)
    for text in sorted({form for one in sent if one for form in written(one)}, key=len, reverse=True):
        readings = [reading.replace(text.encode(), b"*") for reading in readings]
    lowered = [reading.lower() for reading in readings]
    return [
        mark
        for mark in marks
        if any(
            dress in reading or dress.lower() in low
            for dress in dresses(mark)
            for reading, low in zip(readings, lowered, strict=True)
        )
    ]


def written(text: str) -> set[str]:
    """The ways in which an answer may write a text that it was sent."""
    return {text, quote(text), quote(text, safe=""), quote_plus(text), html.escape(text)}


def comparable(answer: httpx2.Response, sent: Iterable[str]) -> tuple[int, str, str]:
    """Status, content type, and body without the texts sent, instants, numbers of now, and new ids."""
    text = answer.content.decode("latin-1")
    for one in sorted({form for part in sent if part for form in written(part)}, key=len, reverse=True):
        text = text.replace(one, "*")
    text = re.sub(r"<time [^>]*>[^<]*</time>", "@", text)  # an instant, in words of how long ago it was
    text = _MINTED.sub("#", _INSTANT.sub("@", text))
    if answer.headers.get("content-type", "").startswith("text/html"):
        text = re.sub(r"[\d,.]+", "0", text)
    return answer.status_code, answer.headers.get("content-type", ""), text


def another(text: str) -> str:
    """A text of the same length and make that stands for nothing: what follows its kind (`key_`) is changed."""
    kind, line, rest = text.rpartition("_")
    hexadecimal = re.fullmatch(r"[0-9a-f]+", rest) is not None
    letters = "abcdef" if hexadecimal else "abcdefghijklmnopqrstuvwxyz"
    turned = {a: letters[(i + 5) % len(letters)] for i, a in enumerate(letters)}
    turned |= {str(n): str((n + 3) % 10) for n in range(10)}
    return kind + line + "".join(turned.get(one, one) for one in rest)
