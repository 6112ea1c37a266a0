"""Templates to text: one Jinja environment, strict about what is missing, with filters that know units."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

from jinja2 import ChoiceLoader, Environment, FileSystemLoader, PrefixLoader, StrictUndefined
from markupsafe import Markup, escape

from holdfast.kernel.time import Clock, iso, utc_now
from holdfast.web import charts, words
from holdfast.web.assets import Assets

HERE = Path(__file__).parent
NOT_KNOWN = "It was not reported."


class Renderer:
    """Renders the shell's templates (`shell.html`), the components (`components/…`) and each room's (`<room>/…`).

    `template_dirs` maps a room's name to its templates folder; with {"room": folder}, `room/list.html` is found in it.
    """

    def __init__(self, template_dirs: Mapping[str, Path], assets: Assets, clock: Clock = utc_now) -> None:
        rooms = {name: FileSystemLoader(path) for name, path in template_dirs.items()}
        self.environment = Environment(
            loader=ChoiceLoader(
                [
                    PrefixLoader({**rooms, "components": FileSystemLoader(HERE / "components")}),
                    FileSystemLoader(HERE / "templates"),
                ]
            ),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self.environment.filters.update(_filters(clock))
        self.environment.globals.update(asset=assets.url, charts=charts, words=words)

    def render(self, name: str, /, **context: Any) -> str:
        """One template as text. Raises jinja2.UndefinedError where the context lacks a name that is used."""
        return self.environment.get_template(name).render(**context)


def _filters(clock: Clock) -> dict[str, Callable[..., Any]]:
    return {
        "count": count,
        "duration": duration,
        "money": money,
        "percent": percent,
        "instant": partial(instant, clock=clock),
        "relative": partial(relative, clock=clock),
        "bytes_text": byte_size,
        "or_unknown": or_unknown,
        "pretty": pretty,
        "clipped": clipped,
        "data": data,
    }


def unknown(reason: str = NOT_KNOWN, *, short: bool = False) -> Markup:
    """What is not known, said so, with the reason beneath the pointer; `short` is a dash for tight columns."""
    shown = Markup('<span aria-hidden="true">–</span><span class="sr">unknown</span>') if short else "unknown"
    return Markup('<span class="unknown" title="Unknown. {}">{}</span>').format(reason, shown)


def or_unknown(value: object, reason: str = NOT_KNOWN, short: bool = True) -> object:
    """The value, or `unknown` where it is None or an empty text."""
    return unknown(reason, short=short) if value is None or value == "" else value


def count(value: int | None, unit: str = "", reason: str = NOT_KNOWN) -> Markup:
    """A count with its exact figure beneath the pointer; None is unknown."""
    if value is None:
        return unknown(reason, short=True)
    shown = f"{words.count(value)} {unit}".strip()
    if shown == f"{value:,} {unit}".strip():
        return escape(shown)
    return Markup('<span title="{} {}">{}</span>').format(f"{value:,}", unit, shown)


def duration(ms: float | None, reason: str = NOT_KNOWN) -> Markup:
    """Milliseconds in words; None is unknown."""
    return unknown(reason, short=True) if ms is None else escape(words.duration(ms))


def money(amount: Decimal | None, currency: str | None = "USD", reason: str | None = None) -> Markup:
    """An amount with the exact figure beneath the pointer; None is unknown with its reason, never 0."""
    if amount is None:
        return unknown(reason or "No price was found.")
    code = currency or "USD"
    exact = f"{amount.normalize():f}"
    return Markup('<span title="{} {}">{}</span>').format(exact, code, words.money(amount, code))


def percent(ratio: float | None, reason: str = NOT_KNOWN) -> Markup:
    """A ratio between 0 and 1 as a percentage; None is unknown."""
    return unknown(reason, short=True) if ratio is None else escape(words.percent(ratio))


def instant(at: datetime | None, style: str = "short", *, clock: Clock = utc_now) -> Markup:
    """An instant in UTC; the browser adds the reader's own time to the title. Style is short or exact."""
    if at is None:
        return unknown(short=True)
    shown = words.exact(at) if style == "exact" else words.moment(at, clock())
    return Markup('<time datetime="{}" title="{}" data-local>{}</time>').format(
        iso(at), words.exact(at), shown
    )


def relative(at: datetime | None, *, clock: Clock = utc_now) -> Markup:
    """How long ago; the browser keeps it true."""
    if at is None:
        return unknown(short=True)
    return Markup('<time datetime="{}" title="{}" data-local data-relative>{}</time>').format(
        iso(at), words.exact(at), words.ago(at, clock())
    )


def byte_size(size: int | None) -> Markup:
    """A size in bytes: 812 B, 1.2 KB, 3.4 MB (powers of 1,000)."""
    if size is None:
        return unknown(short=True)
    for limit, sign in ((1_000_000_000, "GB"), (1_000_000, "MB"), (1_000, "KB")):
        if size >= limit:
            return escape(f"{size / limit:.1f} {sign}")
    return escape(f"{size} B")


def pretty(value: object) -> str:
    """Any value as text to read: a text as it is, nothing for None, the rest as indented JSON."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    return json.dumps(value, indent=2, ensure_ascii=False, default=str)


def clipped(text: str, most: int = 20_000) -> str:
    """A text no longer than `most` characters, saying how many were left out: one huge value must not sink a page."""
    return text if len(text) <= most else f"{text[:most]}\n… {len(text) - most:,} more characters"


def data(value: object) -> Markup:
    """A value as JSON for `<script type="application/json">`: nothing in it can end the script."""
    text = json.dumps(value, ensure_ascii=False, default=str, separators=(",", ":"))
    return Markup(text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"))  # noqa: S704
