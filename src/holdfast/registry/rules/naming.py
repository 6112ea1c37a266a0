"""What content is the same, and how it is named."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Any

import rfc8785

from holdfast.kernel.errors import Invalid
from holdfast.registry.model import Kind

ID_DIGITS = 32
"""Hex digits in the id of a release or a manifest: 128 bits of SHA-256."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(?:/[A-Za-z0-9][A-Za-z0-9._-]*)*")
LONGEST_NAME = 120


def checked_name(name: str, where: str = "name") -> str:
    """A name that people give, as it is. Raises Invalid."""
    if len(name) > LONGEST_NAME or not _NAME.fullmatch(name):
        raise Invalid(
            f"a name is letters, digits and . _ -, in folders by /, {LONGEST_NAME} characters at most; "
            "each part begins with a letter or a digit",
            where=where,
        )
    return name


def canonical(value: Any) -> bytes:
    """The one JSON text of a value (RFC 8785): the order of keys and the spelling of numbers make no difference.

    Raises Invalid for what JSON cannot hold exactly: NaN, infinity, integers from 2^53 on, names that are no text.
    """
    try:
        return rfc8785.dumps(value)
    except (rfc8785.CanonicalizationError, RecursionError, UnicodeError) as error:
        raise Invalid(
            "this cannot be written as JSON exactly: numbers are finite and whole ones below 2^53, names are text"
        ) from error


def content_hash(kind: str, value: Any) -> str:
    """SHA-256 in hex of a value as something of this kind. Raises Invalid."""
    return hashlib.sha256(canonical({"kind": kind, "body": value})).hexdigest()


def component_hash(kind: Kind, body: Mapping[str, Any]) -> str:
    """The name of a component. Raises Invalid."""
    return content_hash(kind.value, body)


def release_id(body: Mapping[str, Any], components: Mapping[Kind, str]) -> str:
    """The id of a release: of its body and its components' hashes. Raises Invalid."""
    parts = {kind.value: name for kind, name in components.items()}
    return "rel_" + content_hash("release", {"body": body, "components": parts})[:ID_DIGITS]
