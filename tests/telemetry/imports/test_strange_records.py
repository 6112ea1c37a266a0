"""No record, however strange, stops a reader: each becomes spans, buckets, or a refusal in words."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.telemetry.decode import packed
from holdfast.telemetry.imports.reader import Told, Unmapped
from holdfast.telemetry.imports.shelf import FORMATS
from holdfast.telemetry.model import Span
from telemetry.imports.made import read
from telemetry.imports.test_mapped import MAPPING
from telemetry.imports.test_readers import completion, observation, spend

STRANGE: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(["", "{", "[1]", '{"a":1}', "-1", "1e400"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
WHOLE = {
    "langfuse": observation(),
    "litellm": spend(),
    "openai": completion(),
    "jsonl": {"ts": 1, "request": {"uuid": "a"}},
}


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(FORMATS), STRANGE)
def test_any_record(source: str, record: Any) -> None:
    items, _ = read(source, record, told=Told(at_ns=10**18))
    for item in items:
        if isinstance(item, Span):
            packed.traces(packed.pack([item]))
        elif isinstance(item, Unmapped):
            assert item.reason


@pytest.mark.parametrize("source", list(WHOLE))
@settings(max_examples=150, deadline=None)
@given(st.data())
def test_a_record_with_one_strange_field(source: str, data: st.DataObject) -> None:
    record = dict(WHOLE[source])
    record[data.draw(st.sampled_from(sorted(record)))] = data.draw(STRANGE)
    items, _ = read(source, record, mapping=MAPPING if source == "jsonl" else None)
    for item in items:
        if isinstance(item, Span):
            assert 0 < item.start_ns < 2**63 and item.start_ns <= item.end_ns < 2**63
            assert len(item.trace_id) == 32 and len(item.span_id) == 16
