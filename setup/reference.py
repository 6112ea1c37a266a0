"""Writes the tables of docs/reference that follow from the code: settings, and the attributes of each convention.

Run by `.venv/bin/python setup/reference.py` after a change; a test compares the pages with what this would write.
"""

from __future__ import annotations

import pathlib
import re
from collections.abc import Callable, Mapping

from holdfast.platform.settings import Settings
from holdfast.telemetry.conventions.dimensions import SPAN
from holdfast.telemetry.conventions.otel_genai import ALIASES
from holdfast.telemetry.conventions.shelf import SHELF

REFERENCE = pathlib.Path(__file__).resolve().parent.parent / "docs" / "reference"
BEGIN, END = "<!-- written by setup/reference.py: {} -->", "<!-- end -->"
FLAGS = {
    "data": "--data",
    "host": "--host",
    "port": "--port",
    "grpc_port": "--grpc-port",
    "gateway_port": "--gateway-port",
}
"""Settings that `up` and `serve` also take as an option, which goes before the variable."""


def shown(value: object) -> str:
    """A default as people read it."""
    if hasattr(value, "get_secret_value"):
        value = value.get_secret_value()
    if value is None or value == "":
        return "(empty)"
    if isinstance(value, bool):
        return "`true`" if value else "`false`"
    if isinstance(value, int) and value >= 1 << 20:
        return f"`{value}` ({value >> 20} MiB)"
    return f"`{value}`"


def settings_table() -> str:
    """One row for each setting: variable, option, default, meaning."""
    rows = ["| variable | option | default | meaning |", "|---|---|---|---|"]
    for name, field in Settings.model_fields.items():
        option = f"`{FLAGS[name]}`" if name in FLAGS else ""
        meaning = (field.description or "").replace("|", "\\|")
        rows.append(f"| `HOLDFAST_{name.upper()}` | {option} | {shown(field.default)} | {meaning} |")
    return "\n".join(rows)


def aliases_table(aliases: Mapping[str, tuple[str, ...]]) -> str:
    """One row for each slot of a convention: the slot, and the attributes that fill it, the best first."""
    rows = ["| read as | attributes, the best first |", "|---|---|"]
    rows += [f"| `{slot}` | {', '.join(f'`{name}`' for name in names)} |" for slot, names in aliases.items()]
    return "\n".join(rows)


def conventions_tables() -> str:
    """The dimensions, the default reader, then every other convention in the order in which they are asked."""
    parts = ["### Dimensions", aliases_table(SPAN), "### `otel_genai`", aliases_table(ALIASES)]
    for convention in SHELF[:-1]:
        parts += [f"### `{convention.name}`", aliases_table(convention.aliases)]
    return "\n\n".join(parts)


TABLES: Mapping[str, tuple[str, Callable[[], str]]] = {
    "settings": ("settings.md", settings_table),
    "conventions": ("conventions.md", conventions_tables),
}
"""What is written: name of the block → page, and the way to make it."""


def renewed(page: str, name: str, table: str) -> str:
    """A page with the block of this name replaced. Raises ValueError where the page has no such block."""
    begin = BEGIN.format(name)
    block = re.compile(re.escape(begin) + r".*?" + re.escape(END), re.DOTALL)
    if not block.search(page):
        raise ValueError(f"there is no place for the table {name!r}")
    return block.sub(lambda _: f"{begin}\n\n{table}\n\n{END}", page, count=1)


def main() -> None:
    """Renews every page."""
    for name, (page, make) in TABLES.items():
        path = REFERENCE / page
        path.write_text(renewed(path.read_text(encoding="utf-8"), name, make()), encoding="utf-8")


if __name__ == "__main__":
    main()
