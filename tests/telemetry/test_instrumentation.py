"""What calls should say: the checklist, and that each line it tells sets something that is read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.telemetry.conventions.shelf import TABLE
from holdfast.telemetry.rules.instrumentation import FACTS, Covered, checklist

NAMES = [fact.name for fact in FACTS]


@pytest.mark.parametrize("fact", FACTS, ids=NAMES)
def test_every_attribute_is_read_and_stands_in_a_line(fact: object) -> None:
    (one,) = (each for each in FACTS if each is fact)
    assert one.attributes and one.lines
    for name in one.attributes:
        assert name in TABLE, name
        assert any(name in line for _, line in one.lines), name
    languages = {language.split()[0].rstrip(",") for language, _ in one.lines}
    assert {"Python", "JavaScript"} <= languages


@pytest.mark.parametrize(
    ("lacking", "of", "state"),
    [
        (0, 100, "done"),
        (1, 200, "done"),
        (2, 100, "partly"),
        (99, 100, "partly"),
        (100, 100, "missing"),
        (0, 0, "unknown"),
        (None, 100, "unknown"),
        (7, 5, "missing"),
    ],
)
def test_states(lacking: int | None, of: int, state: str) -> None:
    assert Covered(FACTS[0], lacking, of).state == state


@given(
    st.dictionaries(st.sampled_from(NAMES), st.integers(0, 100)),
    st.dictionaries(st.sampled_from(NAMES), st.integers(0, 100)),
)
def test_every_fact_stands_once_and_what_is_missing_first(
    lacking: dict[str, int], of: dict[str, int]
) -> None:
    found = checklist({**lacking}, of)
    assert sorted(one.fact.name for one in found) == sorted(NAMES)
    order = ["missing", "partly", "unknown", "done"]
    assert [one.state for one in found] == sorted((one.state for one in found), key=order.index)
    for one in found:
        assert one.state != "done" or of.get(one.fact.name)
