"""Routes as feature flags: which release answers whoever asks, in the words of OpenFeature."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from holdfast.applications.reads import prompts
from holdfast.gateway.model import Dimensions
from holdfast.gateway.reads import serving
from holdfast.kernel.context import Context
from holdfast.kernel.errors import NotFound
from holdfast.storage.sql import Transaction

RELEASE = ":release"
"""Behind a route's name: the flag whose value is the release's id, a string."""
MOST = 500
_DIMENSIONS = ("tenant", "user", "session")


@dataclass(frozen=True, slots=True)
class Failed:
    """Why a flag has no value: a code of OpenFeature, and words."""

    key: str
    code: str
    details: str


def evaluated(ctx: Context, tx: Transaction, key: str, context: Mapping[str, Any]) -> dict[str, Any] | Failed:
    """A flag for whoever the evaluation context says: its value, variant and reason, or what is wrong."""
    route = key.removesuffix(RELEASE)
    said, targeting = _said(context)
    if said is None:
        names = ", ".join(("targetingKey", "began", *_DIMENSIONS))
        return Failed(key, "INVALID_CONTEXT", f"{names} are texts of at most 400 characters")
    try:
        one = serving.serving(ctx, tx, route, said, targeting, str(context.get("began") or ""))
        if one.split and not one.told_apart:
            why = f"several releases share the route {route}: say targetingKey, or {', '.join(_DIMENSIONS)}"
            return Failed(key, "TARGETING_KEY_MISSING", why)
        handed = prompts.served(ctx, tx, one)
    except NotFound as error:
        return Failed(key, "FLAG_NOT_FOUND", error.detail)
    fields = ("messages", "variables", "model", "chain", "parameters", "tools", "parts")
    whole = asdict(handed)
    value = (
        one.release if key != route else {"release": one.release, **{name: whole[name] for name in fields}}
    )
    metadata: dict[str, Any] = {"route": route, "release": one.release, "stable": one.stable}
    if handed.version is not None:
        metadata |= {"prompt": handed.version_of, "version": handed.version}
    reason = "SPLIT" if one.split else "STATIC"
    return {"key": key, "value": value, "variant": one.release, "reason": reason, "metadata": metadata}


def all_evaluated(ctx: Context, tx: Transaction, context: Mapping[str, Any]) -> list[dict[str, Any] | Failed]:
    """Every route's flag, by name."""
    return [evaluated(ctx, tx, route, context) for route in serving.routes(ctx, tx)[:MOST]]


def _said(context: Mapping[str, Any]) -> tuple[Dimensions | None, str]:
    texts = {name: context.get(name) or "" for name in ("targetingKey", "began", *_DIMENSIONS)}
    if not all(isinstance(one, str) and len(one) <= 400 for one in texts.values()):
        return None, ""
    return Dimensions(**{name: texts[name] for name in _DIMENSIONS}), texts["targetingKey"]
