"""Results stay in memory up to a size, the ones in use longest."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from holdfast.storage.memory import Memory


def test_what_was_asked_for_longest_ago_goes_first() -> None:
    memory: Memory[str] = Memory(80)
    for key in range(8):
        memory.put(key, f"the {key}", 10)
    assert memory.get(0) == "the 0"
    memory.put(8, "the 8", 10)
    assert memory.get(1) is None and memory.get(0) == "the 0" and memory.get(8) == "the 8"


def test_one_large_result_does_not_drive_out_the_others() -> None:
    memory: Memory[str] = Memory(80)
    memory.put("small", "a", 10)
    memory.put("large", "b", 11)
    memory.put("small", "c", 11)
    assert memory.get("large") is None and memory.get("small") is None, (
        "nor does an older one stay in its place"
    )


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 40)), max_size=60))
def test_never_more_than_the_size(puts: list[tuple[int, int]]) -> None:
    memory: Memory[int] = Memory(100)
    last: dict[int, int] = {}
    for key, size in puts:
        memory.put(key, size, size)
        last[key] = size
        held = {key: memory.get(key) for key in last}
        assert all(value in (None, last[key]) for key, value in held.items())
        assert sum(value for value in held.values() if value is not None) <= 100
        assert held[key] == (size if size <= 12 else None)
