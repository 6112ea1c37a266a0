"""What a message is made of: text, images, documents.

Left out without a word, in both directions, are marks for one vendor's prompt cache (`cache_control`,
`prompt_cache_breakpoint`): the answer is the same, and at the other vendor nothing is bought with them.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any

from holdfast.gateway.translation.words import mapping, neutral, only, refuse, sequence, string

IMAGES = frozenset({"image/jpeg", "image/png", "image/gif", "image/webp"})
_PDF = "application/pdf"
_PLAIN = "text/plain"
_VENDORS_OWN = "a file kept at one vendor is not there at the other"


def text_part(part: Mapping[str, Any], where: str) -> str:
    """The text of a text part of either dialect. Citations have no place in the other."""
    only(part, ("type", "text", "cache_control", "prompt_cache_breakpoint", "citations"), where)
    neutral(part, "citations", where, "there are no citations in the other dialect", [])
    return string(part.get("text"), f"{where}.text")


def texts(content: object, where: str, *also: str) -> list[str]:
    """The texts of content that may hold nothing but text (or parts of the kinds in `also` that say it)."""
    if isinstance(content, str):
        return [content]
    found = []
    for number, one in enumerate(sequence(content, where)):
        here = f"{where}[{number}]"
        part = mapping(one, here)
        kind = part.get("type")
        if kind == "text":
            found.append(text_part(part, here))
        elif kind in also:
            only(part, ("type", kind), here)
            found.append(string(part.get(kind), f"{here}.{kind}"))
        else:
            refuse(f"{here}.type", f"only text can be said here, not {kind}")
    return found


def in_blocks(said: list[str], *, kind: str = "text") -> str | list[dict[str, Any]]:
    """Text as it is written in either dialect: as it is where it is one piece, else in parts, empty ones left out."""
    if len(said) == 1:
        return said[0]
    return [{"type": kind, "text": text} for text in said if text]


def to_blocks(content: object, where: str) -> str | list[dict[str, Any]]:
    """The content of a user's message, in Anthropic's blocks."""
    if isinstance(content, str):
        return content
    blocks: list[dict[str, Any]] = []
    for number, one in enumerate(sequence(content, where)):
        here = f"{where}[{number}]"
        part = mapping(one, here)
        kind = part.get("type")
        if kind == "text":
            text = text_part(part, here)
            if text:
                blocks.append({"type": "text", "text": text})
        elif kind == "image_url":
            blocks.append(_image_block(part, here))
        elif kind == "file":
            blocks.append(_document_block(part, here))
        elif kind == "input_audio":
            refuse(f"{here}.input_audio", "there is no audio in the other dialect")
        else:
            refuse(f"{here}.type", f"{kind} is nothing that the other dialect knows")
    return blocks


def to_part(block: Mapping[str, Any], where: str) -> dict[str, Any]:
    """A block of a user's message, as a part of OpenAI's."""
    kind = block.get("type")
    if kind == "text":
        return {"type": "text", "text": text_part(block, where)}
    if kind == "image":
        return _image_part(block, where)
    if kind == "document":
        return _file_part(block, where)
    refuse(f"{where}.type", f"{kind} is nothing that the other dialect knows")


def _image_block(part: Mapping[str, Any], where: str) -> dict[str, Any]:
    only(part, ("type", "image_url", "prompt_cache_breakpoint"), where)
    where = f"{where}.image_url"
    image = mapping(part.get("image_url"), where)
    only(image, ("url", "detail"), where)
    neutral(image, "detail", where, "how finely an image is read cannot be chosen there", "auto")
    url = string(image.get("url"), f"{where}.url")
    if not url.startswith("data:"):
        return {"type": "image", "source": {"type": "url", "url": url}}
    media, data = _opened(url, f"{where}.url")
    if media not in IMAGES:
        refuse(f"{where}.url", f"an image must be JPEG, PNG, GIF or WebP there, not {media or 'unnamed'}")
    return {"type": "image", "source": {"type": "base64", "media_type": media, "data": data}}


def _image_part(block: Mapping[str, Any], where: str) -> dict[str, Any]:
    only(block, ("type", "source", "cache_control", "transformations"), where)
    why = "how an image is read cannot be chosen there"
    neutral(block, "transformations", where, why, {}, {"oversized_image": "downsize"})
    where = f"{where}.source"
    source = mapping(block.get("source"), where)
    kind = source.get("type")
    if kind == "url":
        only(source, ("type", "url"), where)
        url = string(source.get("url"), f"{where}.url")
    elif kind == "base64":
        only(source, ("type", "media_type", "data"), where)
        media = string(source.get("media_type"), f"{where}.media_type")
        url = f"data:{media};base64,{string(source.get('data'), f'{where}.data')}"
    else:
        refuse(f"{where}.type", _VENDORS_OWN if kind == "file" else f"{kind} is no source that is known here")
    return {"type": "image_url", "image_url": {"url": url}}


def _document_block(part: Mapping[str, Any], where: str) -> dict[str, Any]:
    only(part, ("type", "file", "prompt_cache_breakpoint"), where)
    where = f"{where}.file"
    file = mapping(part.get("file"), where)
    only(file, ("file_data", "file_id", "filename"), where)
    neutral(file, "file_id", where, _VENDORS_OWN)
    place = f"{where}.file_data"
    media, data = _opened(string(file.get("file_data"), place), place)
    if media == _PDF:
        source = {"type": "base64", "media_type": _PDF, "data": data}
    elif media == _PLAIN:
        source = {"type": "text", "media_type": _PLAIN, "data": _decoded(data, place)}
    else:
        refuse(place, f"a document must be PDF or plain text there, not {media or 'unnamed'}")
    block: dict[str, Any] = {"type": "document", "source": source}
    if file.get("filename") is not None:
        block["title"] = string(file["filename"], f"{where}.filename")
    return block


def _file_part(block: Mapping[str, Any], where: str) -> dict[str, Any]:
    only(block, ("type", "source", "title", "context", "citations", "cache_control"), where)
    neutral(block, "citations", where, "there are no citations in the other dialect", {}, {"enabled": False})
    neutral(block, "context", where, "a file has no place for it", "")
    source = mapping(block.get("source"), f"{where}.source")
    kind = source.get("type")
    if kind not in ("base64", "text"):
        why = _VENDORS_OWN if kind == "file" else "a document must come with the request there"
        refuse(f"{where}.source.type", why)
    only(source, ("type", "media_type", "data"), f"{where}.source")
    data = string(source.get("data"), f"{where}.source.data")
    if kind == "text":
        media, data, name = _PLAIN, base64.b64encode(data.encode()).decode(), "document.txt"
    else:
        media, name = string(source.get("media_type"), f"{where}.source.media_type"), "document.pdf"
    title = block.get("title")
    name = name if title is None else string(title, f"{where}.title")
    return {"type": "file", "file": {"filename": name, "file_data": f"data:{media};base64,{data}"}}


def _opened(url: str, where: str) -> tuple[str, str]:
    """Media type and base64 text of a data URL (RFC 2397)."""
    head, comma, data = url.partition(",")
    media, *flags = head.removeprefix("data:").split(";")
    if not head.startswith("data:") or not comma or "base64" not in flags:
        refuse(where, "data must be a data URL in base64 (data:type;base64,…)")
    return media.lower(), data


def _decoded(data: str, where: str) -> str:
    try:
        return base64.b64decode(data, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        refuse(where, "it is no UTF-8 text in base64")
