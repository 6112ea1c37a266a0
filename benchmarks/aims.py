"""Aims, read from the committed aims.toml, and whether figures reach them."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FILE = Path(__file__).parent / "aims.toml"


@dataclass(frozen=True, slots=True)
class Aim:
    """A bound on one figure; one of the two is set."""

    figure: str
    at_least: float | None = None
    at_most: float | None = None

    def holds(self, measured: float | None) -> bool:
        """False also for what is not known."""
        if measured is None:
            return False
        return (self.at_least is None or measured >= self.at_least) and (
            self.at_most is None or measured <= self.at_most
        )


def read(benchmark: str, path: Path = FILE) -> tuple[Aim, ...]:
    """The aims of a benchmark. Raises ValueError where there are none, or one sets no bound or one unknown."""
    tables = tomllib.loads(path.read_text()).get(benchmark)
    if not tables:
        raise ValueError(f"{path.name} has no aims for {benchmark}")
    return tuple(_aim(name, table) for name, table in tables.items())


def _aim(name: str, table: Mapping[str, Any]) -> Aim:
    if len(table) != 1 or not table.keys() <= {"at_least", "at_most"}:
        raise ValueError(f"the aim {name} must set at_least or at_most")
    return Aim(name, **{bound: float(value) for bound, value in table.items()})


def judge(aims: tuple[Aim, ...], figures: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Each aim beside what was measured."""
    judged: dict[str, dict[str, Any]] = {}
    for aim in aims:
        measured = figures.get(aim.figure)
        bound = {"at_least": aim.at_least} if aim.at_least is not None else {"at_most": aim.at_most}
        judged[aim.figure] = {**bound, "measured": measured, "holds": aim.holds(measured)}
    return judged


def last_line(
    benchmark: str,
    aims: tuple[Aim, ...],
    figures: Mapping[str, Any],
    peer: Mapping[str, Any],
    about: Mapping[str, Any],
    *,
    sound: bool,
) -> dict[str, Any]:
    """The one JSON object that ends a benchmark. It holds when every aim does and the run was `sound` (nothing lost)."""
    judged = judge(aims, figures)
    return {
        "benchmark": benchmark,
        "figures": dict(figures),
        "peer": dict(peer),
        "aims": judged,
        **about,
        "sound": sound,
        "holds": sound and all(one["holds"] for one in judged.values()),
    }
