"""Records by a mapping file, and times as files write them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from holdfast.kernel.errors import Invalid
from holdfast.telemetry.imports import values
from holdfast.telemetry.imports.mapped import mapping_of
from holdfast.telemetry.imports.reader import Misfit, Unmapped
from holdfast.telemetry.model import Span
from telemetry.imports.made import facts, read
from telemetry.imports.test_readers import AT, AT_NS, SECOND

MAPPING = {
    "source": "my-proxy",
    "fields": {
        "id": "request.uuid",
        "time": "ts",
        "duration": "took_ms",
        "model": "request.model",
        "user": "who.0",
        "input_tokens": "usage.in",
        "output_tokens": "usage.out",
        "cache_read_tokens": "usage.cached",
        "cost": "usd",
        "input": "request.messages",
        "output": "answer",
        "temperature": "request.temperature",
        "error": "fault",
    },
    "constants": {"provider": "openai", "environment": "production"},
    "time_unit": "ms",
    "input_includes_cache": False,
    "attributes": {"my.region": "region"},
}


def test_a_mapping_file() -> None:
    row = {
        "request": {
            "uuid": "u-1",
            "model": "gpt-4o",
            "messages": [{"role": "user", "content": "Hi"}],
            "temperature": 0.1,
        },
        "ts": AT_NS // 10**6,
        "took_ms": 1500,
        "who": ["ada"],
        "usage": {"in": 5, "out": 2, "cached": 3},
        "usd": "0.001",
        "answer": "Hello.",
        "region": "eu",
        "extra": True,
    }
    [item], reading = read("jsonl", row, mapping=MAPPING)
    assert isinstance(item, Span)
    said = facts(item)
    assert (said.provider, said.request_model, said.user, said.environment) == (
        "openai",
        "gpt-4o",
        "ada",
        "production",
    )
    assert said.usage is not None and said.usage[:2] == (5, 3)
    assert (item.start_ns, item.end_ns, item.scope_name) == (
        AT_NS,
        AT_NS + 1_500_000_000,
        "holdfast.import.my-proxy",
    )
    assert said.reported_cost == Decimal("0.001") and item.attributes["my.region"] == "eu"
    assert reading.tally.fields == {"extra": 1}
    [missing], _ = read("jsonl", {"ts": 5}, mapping=MAPPING)
    assert isinstance(missing, Unmapped) and "request.uuid" in missing.reason


@pytest.mark.parametrize(
    ("stated", "word"),
    [
        ([], "fields"),
        ({"fields": {"id": "a"}}, "'time'"),
        ({"fields": {"time": "a"}}, "'id'"),
        ({"fields": {"id": "a", "time": "b", "colour": "c"}}, "colour"),
        ({"fields": {"id": "a", "time": ""}}, "path"),
        ({"fields": {"id": "a", "time": "b"}, "time_unit": "weeks"}, "time_unit"),
        ({"fields": {}, "colour": 1}, "colour"),
    ],
)
def test_a_mapping_file_at_fault_is_told(stated: Any, word: str) -> None:
    with pytest.raises(Invalid) as refused:
        mapping_of(stated)
    assert word in refused.value.detail


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (AT, AT_NS),
        ("2026-03-01 10:00:00", AT_NS),
        ("2026-03-01T11:00:00+01:00", AT_NS),
        (AT_NS // SECOND, AT_NS),
        (AT_NS // SECOND + 0.25, AT_NS + 250_000_000),
        (str(AT_NS // SECOND), AT_NS),
        (AT_NS // 10**6, AT_NS),
        (AT_NS // 10**3, AT_NS),
        (AT_NS, AT_NS),
        ("2026-03-01T10:00:00.123456789Z", AT_NS + 123_456_789),
        ("", None),
        (None, None),
    ],
)
def test_times_as_they_are_written(written: Any, expected: int | None) -> None:
    assert values.nanoseconds(written, "time") == expected


@pytest.mark.parametrize("written", ["soon", True, [], float("nan"), 10**30, float("inf"), {}])
def test_what_is_no_time(written: Any) -> None:
    with pytest.raises(Misfit):
        values.nanoseconds(written, "time")
