"""What the shell around every page needs to know, as data: rail, top bar, reader. It knows no room by name."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlencode

from holdfast.web.links import Here

RANGES: tuple[tuple[str, str], ...] = (
    ("15m", "Last 15 minutes"),
    ("1h", "Last hour"),
    ("24h", "Last 24 hours"),
    ("7d", "Last 7 days"),
    ("30d", "Last 30 days"),
)
"""The ranges of the top bar: value of the `range` parameter, words."""

TIME_PARAMETERS = ("range", "from", "to")


@dataclass(frozen=True, slots=True)
class NavItem:
    """One place of the rail. `key` is the letter that goes there after `g`; `count` is shown where it is not None."""

    label: str
    href: str
    icon: str
    key: str = ""
    current: bool = False
    count: int | None = None


@dataclass(frozen=True, slots=True)
class NavGroup:
    """One step of the loop with the rooms that exist in it; an empty group is not drawn."""

    label: str
    items: tuple[NavItem, ...]


@dataclass(frozen=True, slots=True)
class Option:
    """One choice of a menu."""

    label: str
    href: str
    current: bool = False
    note: str = ""


@dataclass(frozen=True, slots=True)
class Selector:
    """One menu of the top bar: what it narrows, what is chosen now, and the links that choose otherwise."""

    name: str
    label: str
    value: str
    options: tuple[Option, ...]
    icon: str = ""


@dataclass(frozen=True, slots=True)
class TimeChoice:
    """The time range in force: its words, the links of the presets, and the form for a custom one (ISO, UTC)."""

    label: str
    options: tuple[Option, ...]
    action: str
    start: str
    end: str
    hidden: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Reader:
    """Who is signed in. Links may be empty; then they are not drawn."""

    name: str
    email: str = ""
    role: str = ""


@dataclass(frozen=True, slots=True)
class Banner:
    """A line above the page: tone is info, warning, danger, success or sample."""

    tone: str
    text: str
    href: str = ""
    action: str = ""


@dataclass(frozen=True, slots=True)
class Shell:
    """Everything around a page. `selectors` stand first in the top bar in their order, the time range last."""

    nav: tuple[NavGroup, ...]
    selectors: tuple[Selector, ...]
    time: TimeChoice | None
    reader: Reader | None
    csrf_token: str
    sign_out: str = "/sign-out"
    home: str = "/"
    banners: tuple[Banner, ...] = ()


def parameter_selector(
    here: Here, name: str, label: str, values: tuple[tuple[str, str], ...], everything: str, icon: str = ""
) -> Selector:
    """A menu over one query parameter. `values` are (value, words); `everything` names the state without it."""
    chosen = here.get(name)
    options = [Option(everything, str(here.set({name: None})), current=not chosen)]
    options += [
        Option(words, str(here.set({name: value})), current=value == chosen) for value, words in values
    ]
    shown = next((words for value, words in values if value == chosen), chosen or everything)
    return Selector(name, label, shown, tuple(options), icon)


def time_choice(here: Here, start: str, end: str, default: str = "24h") -> TimeChoice:
    """The time menu for where the reader is. `start` and `end` are the range in force as ISO instants in UTC."""
    custom = bool(here.get("from") or here.get("to"))
    chosen = "" if custom else here.get("range", default)
    options = tuple(
        Option(words, str(here.set({"range": value, "from": None, "to": None})), value == chosen, note=value)
        for value, words in RANGES
    )
    words = dict(RANGES).get(chosen, f"{_short(start)} – {_short(end)}")
    return TimeChoice(words, options, here.path, start, end, here.hidden(*TIME_PARAMETERS))


def carried(href: str, here: Here, names: tuple[str, ...]) -> str:
    """`href` with the reader's scope (`names`, and the time range) added: how the rail keeps one's place."""
    pairs = here.only((*names, *TIME_PARAMETERS)).pairs
    return f"{href}{'&' if '?' in href else '?'}{urlencode(pairs)}" if pairs else href


def _short(iso: str) -> str:
    return iso[5:16].replace("T", " ")
