"""What spans may hold, on a real core: what is odd is kept, what cannot be is refused by name, and alone."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from otlp_made import CHAT, body, json_body, json_span, partial, request, span
from running_core import JSON, Workspace

pytestmark = pytest.mark.timeout(1200)  # a loaded machine starts a core slowly

YEAR_NS = 365 * 86_400 * 10**9


def test_clocks_that_are_off(workspace: Workspace) -> None:
    now = time.time_ns()
    late, early = now - 30 * YEAR_NS, now + 3 * YEAR_NS
    bad = [span(start_ns=at) for at in (late, early, 1, now + 7200 * 10**9, now - 2 * YEAR_NS)]
    endless = span()
    endless.end_time_unix_nano = 2**64 - 1
    refused, said = partial(workspace.post(body([*bad, span(), endless])))
    assert refused == 6
    for one in bad[:4]:
        assert f"span {one.span_id.hex()} of trace {one.trace_id.hex()}" in said
    assert "check the sender's clock" in said
    assert "HOLDFAST_MAX_FUTURE_MINUTES" in said
    assert "and 1 more" in said
    assert workspace.count() == (1, 1)
    backwards = span()
    backwards.end_time_unix_nano = backwards.start_time_unix_nano - 5
    assert partial(workspace.post(body([backwards]))) == (0, "")
    assert {call["duration_ms"] for call in workspace.calls()} == {0, 100}


def test_ids_that_are_wrong(workspace: Workspace) -> None:
    zero, short, long, orphan = span(), span(), span(), span()
    zero.span_id = bytes(8)
    short.trace_id = b"abc"
    long.span_id = bytes(9_000_000)
    orphan.parent_span_id = b"abc"
    zero_trace = span()
    zero_trace.trace_id = bytes(16)
    refused, said = partial(workspace.post(body([zero, short, long, orphan, zero_trace, span()])))
    assert refused == 5
    assert "span 0000000000000000 of trace" in said
    assert "its trace id is not 16 bytes" in said
    assert len(said) < 2000
    for bad in ("", "zz" * 16, "0" * 32, "ab" * 17, "é" * 32):
        answer = workspace.post(json_body(json_span(traceId=bad)), content_type=JSON)
        assert answer.status_code == 200
        assert json.loads(answer.content)["partialSuccess"]["rejectedSpans"] == "1"
    assert workspace.count() == (1, 1)


def test_ids_in_capitals_are_the_same_ids(workspace: Workspace) -> None:
    small = json_span(traceId="ab" * 16, spanId="cd" * 8)
    for one in (small, {**small, "traceId": "AB" * 16, "spanId": "CD" * 8}):
        assert workspace.post(json_body(one), content_type=JSON).content == b"{}"
    assert workspace.count() == (1, 1)


def test_duplicate_ids_in_one_request(workspace: Workspace) -> None:
    one = span(attributes={**CHAT, "ratio": float("nan")})
    same = span()
    same.CopyFrom(one)
    other = span()
    other.CopyFrom(one)
    other.name = "another"
    refused, said = partial(workspace.post(body([one, same, other, same])))
    assert refused == 1
    assert one.span_id.hex() in said
    assert "same id" in said
    assert workspace.count() == (1, 1)
    # in one JSON request too, and where the two are too large to be kept whole
    big = json_span(statusMessage=..., status={"message": "x" * 2_000_000})
    assert "kept without" in workspace.post(json_body(big, big), content_type=JSON).text
    assert workspace.count() == (2, 2)


def test_an_attribute_of_10_mb_is_left_out_and_said(workspace: Workspace) -> None:
    made = span(attributes={**CHAT, "note": "ä" * 5_000_000, "kept": "yes"})
    refused, said = partial(workspace.post(body([made])))
    assert refused == 0
    assert f"span {made.span_id.hex()} of trace {made.trace_id.hex()} was kept without note" in said
    assert "HOLDFAST_MAX_ATTRIBUTE_BYTES" in said
    assert workspace.count() == (1, 1)
    trace = workspace.get(f"traces/{made.trace_id.hex()}")
    [shown] = trace["spans"]
    assert shown["attributes"]["kept"] == "yes"
    assert "note" not in shown["attributes"]
    assert shown["attributes"]["holdfast.truncated"] == ["note"]


@pytest.mark.parametrize(
    "where", ["name", "status", "key", "event", "list", "map", "resource", "scope", "link"]
)
def test_10_mb_anywhere_else_does_no_harm(workspace: Workspace, where: str) -> None:
    big = "x" * 10_000_000
    attributes = {**CHAT, **({big: "v"} if where == "key" else {})}
    attributes |= {"l": ["x" * 100_000] * 100} if where == "list" else {}
    attributes |= {"m": {"a": big}} if where == "map" else {}
    made = span(name=big if where == "name" else "chat", attributes=attributes)
    if where == "status":
        made.status.message = big
    if where == "event":
        made.events.add(name="e").attributes.add(key="k").value.string_value = big
    if where == "link":
        made.links.add(trace_id=made.trace_id).attributes.add(key="k").value.string_value = big
    resource = {"service.name": "shop", **({"r": big} if where == "resource" else {})}
    sent = body([made], resource=resource, scope=big if where == "scope" else "s")
    refused, said = partial(workspace.post(sent))
    assert refused == 0
    assert "was kept without" in said
    assert len(said) < 5000
    assert workspace.count() == (1, 1)


def test_a_large_resource_over_many_spans_is_413(workspace: Workspace) -> None:
    resource = {"service.name": "shop", **{f"r{n}": "x" * 1_000_000 for n in range(5)}}
    answer = workspace.post(body([span() for _ in range(100)], resource=resource))
    assert answer.status_code == 413
    assert b"fewer records" in answer.content
    assert workspace.count() == (0, 0)


def test_invalid_utf8_costs_only_the_span_that_has_it(workspace: Workspace) -> None:
    good, poisoned = span(), span(name="poison-marker")
    sent = body([good, poisoned, span()]).replace(b"poison-marker", b"poison-\xff\xferker")
    refused, said = partial(workspace.post(sent))
    assert refused == 1
    assert f"span {poisoned.span_id.hex()} of trace {poisoned.trace_id.hex()} was refused" in said
    assert "UTF-8" in said
    assert workspace.count() == (2, 2)
    as_json = json_body(json_span(name="poison"), json_span()).replace(b"poison", b"pois\xffn")
    assert workspace.post(as_json, content_type=JSON).status_code == 400
    assert workspace.count() == (2, 2)


def test_invalid_utf8_in_a_resource_costs_its_spans(workspace: Workspace) -> None:
    sent = request([span(), span()], resource={"service.name": "poison-marker"})
    sent.MergeFrom(request([span()]))
    raw = sent.SerializeToString().replace(b"poison-marker", b"poison-\xff\xferker")
    refused, said = partial(workspace.post(raw))
    assert (refused, workspace.count()) == (2, (1, 1))
    assert "resource" in said


def test_strange_values_are_kept(workspace: Workspace) -> None:
    strange = {
        "nan": float("nan"), "inf": float("inf"), "minus": float("-inf"), "small": 5e-324, "largest": 2**63 - 1,
        "least": -(2**63), "empty": "", "zero byte": "a\0b", "bytes": b"\xff\0", "nested": [[{"a": [1, "b"]}], {}],
        "": "no name", "emoji": "\U0001f600", "quote": "'\"\\{x:String}",
    }  # fmt: skip
    made = span(attributes={**CHAT, **strange}, name="'; DROP TABLE spans; --")
    assert partial(workspace.post(body([made]))) == (0, "")
    [shown] = workspace.get(f"traces/{made.trace_id.hex()}")["spans"]
    assert shown["name"] == made.name
    kept = shown["attributes"]
    assert kept["nan"] is None
    assert kept["largest"] == 2**63 - 1
    assert kept["zero byte"] == "a\0b"
    assert kept["nested"] == [[{"a": [1, "b"]}], {}]
    assert kept["bytes"] == "ff00"
    assert kept["quote"] == strange["quote"]
    assert workspace.count() == (1, 1)


def test_strange_values_where_numbers_are_expected(workspace: Workspace) -> None:
    odd: list[Any] = [
        -5,
        2**63 - 1,
        float("nan"),
        float("inf"),
        1.5,
        "12",
        "x",
        True,
        [1],
        {"a": 1},
        "9" * 30,
    ]
    names = [
        "gen_ai.usage.input_tokens", "gen_ai.usage.output_tokens", "gen_ai.usage.cache_read.input_tokens",
        "gen_ai.request.temperature", "gen_ai.request.max_tokens", "gen_ai.response.finish_reasons",
        "gen_ai.request.model", "gen_ai.response.id", "gen_ai.server.time_to_first_token", "llm.token_count.prompt",
        "gen_ai.response.time_to_first_chunk", "holdfast.cost", "gen_ai.usage.cost", "user.id", "holdfast.sample",
        "gen_ai.operation.name", "gen_ai.input.messages", "gen_ai.output.messages", "openinference.span.kind",
    ]  # fmt: skip
    made = [span(attributes={**CHAT, name: value}) for name in names for value in odd]
    assert partial(workspace.post(body(made)))[0] == 0
    calls, spans = workspace.count()
    assert spans == len(made)
    assert calls > len(made) / 2
    assert all(
        call["input_uncached_tokens"] is None or call["input_uncached_tokens"] >= 0
        for call in workspace.calls()
    )


def test_values_nested_very_deep(workspace: Workspace) -> None:
    deep: Any = "x"
    for _ in range(20):
        deep = [deep]
    assert partial(workspace.post(body([span(attributes={**CHAT, "deep": deep})]))) == (0, "")
    wire: Any = {"stringValue": "x"}
    for _ in range(200):
        wire = {"arrayValue": {"values": [wire]}}
    for shape in (wire, {"kvlistValue": {"values": [{"key": "k", "value": wire}]}}):
        sent = json_body(json_span(attributes=[{"key": "deep", "value": shape}]), json_span())
        answer = workspace.post(sent, content_type=JSON)
        assert answer.status_code == 200, answer.content
        assert json.loads(answer.content)["partialSuccess"]["rejectedSpans"] == "1"
        assert "deeper" in answer.text
    # in protobuf the reader itself refuses what is nested too deep, and only that span
    raw = b"\x0a\x01x"  # AnyValue.string_value
    for _ in range(150):
        inner = b"\x0a" + varint(len(raw)) + raw  # ArrayValue.values
        raw = b"\x2a" + varint(len(inner)) + inner  # AnyValue.array_value
    pair = b"\x0a\x01d\x12" + varint(len(raw)) + raw
    bad = span()
    held = bad.SerializeToString() + b"\x4a" + varint(len(pair)) + pair
    scope = b"\x12" + varint(len(held)) + held
    good = span().SerializeToString()
    scope += b"\x12" + varint(len(good)) + good
    resource = b"\x12" + varint(len(scope)) + scope
    refused, said = partial(workspace.post(b"\x0a" + varint(len(resource)) + resource))
    assert refused == 1
    assert bad.span_id.hex() in said


def varint(number: int) -> bytes:
    """A protobuf varint."""
    out = b""
    while number > 0x7F:
        out += bytes([number & 0x7F | 0x80])
        number >>= 7
    return out + bytes([number])


def test_ten_thousand_attributes(workspace: Workspace) -> None:
    made = span(attributes={**CHAT, **{f"attribute.{n}": n for n in range(10_000)}})
    assert partial(workspace.post(body([made]))) == (0, "")
    [shown] = workspace.get(f"traces/{made.trace_id.hex()}")["spans"]
    assert shown["attributes"]["attribute.9999"] == 9999


def test_unknown_fields_are_passed_over(workspace: Workspace) -> None:
    sent = request([span()])
    raw = sent.SerializeToString() + b"\xf8\x07\x01" + b"\xfa\x07\x03abc"
    assert partial(workspace.post(raw)) == (0, "")
    attributes = [
        {"key": "a", "value": {"newKindOfValue": 1}, "more": True},
        {"key": "b", "value": {"comment": "x", "stringValue": "kept"}},
        {"key": "c", "value": None},
        {"key": "d"},
        {"key": "e", "value": {}},
        {"key": "f", "value": {"stringValue": None}},
    ]
    made = json_span(
        attributes=attributes, aFieldOfTomorrow={"x": [1]}, traceState=None, flags=None, parentSpanId=None
    )
    answer = workspace.post(json_body(made), content_type=JSON)
    assert (answer.status_code, answer.content) == (200, b"{}")
    [shown] = workspace.get(f"traces/{made['traceId']}")["spans"]
    assert shown["attributes"] == {"a": None, "b": "kept", "c": None, "d": None, "e": None, "f": None}


def test_numbers_in_json_as_text_or_number(workspace: Workspace) -> None:
    at = time.time_ns() - 10**9
    attributes = [
        {"key": "gen_ai.operation.name", "value": {"stringValue": "chat"}},
        {"key": "gen_ai.usage.input_tokens", "value": {"intValue": 7}},
        {"key": "gen_ai.usage.output_tokens", "value": {"intValue": "5"}},
        {"key": "nan", "value": {"doubleValue": "NaN"}},
        {"key": "double", "value": {"doubleValue": 1}},
    ]
    made = json_span(startTimeUnixNano=at, endTimeUnixNano=str(at + 2 * 10**6), attributes=attributes)
    assert workspace.post(json_body(made), content_type=JSON).content == b"{}"
    [call] = workspace.calls()
    assert (call["input_uncached_tokens"], call["output_tokens"], call["duration_ms"]) == (7, 5, 2)


@pytest.mark.parametrize(
    "bad",
    [
        {"startTimeUnixNano": "soon"},
        {"startTimeUnixNano": True},
        {"startTimeUnixNano": 1.5},
        {"startTimeUnixNano": "9" * 5000},
        {"startTimeUnixNano": -1},
        {"endTimeUnixNano": "9" * 30},
        {"name": 7},
        {"status": "ok"},
        {"attributes": {"a": "b"}},
        {"attributes": [{"key": "a", "value": {"intValue": 1.5}}]},
        {"attributes": [{"key": "a", "value": {"intValue": "1e3"}}]},
        {"attributes": [{"key": "a", "value": {"stringValue": 5}}]},
        {"attributes": [{"key": "a", "value": {"arrayValue": [1]}}]},
        {"attributes": [{"key": "a", "value": 5}]},
        {"attributes": [None]},
        {"events": [1]},
        {"events": "none"},
        {"links": [{"traceId": 5}]},
    ],
)
def test_a_span_of_the_wrong_shape_in_json_is_refused_alone(
    workspace: Workspace, bad: dict[str, Any]
) -> None:
    made = json_span(**bad)
    answer = workspace.post(json_body(made, json_span()), content_type=JSON)
    assert answer.status_code == 200, answer.content
    said = json.loads(answer.content)["partialSuccess"]
    assert said["rejectedSpans"] == "1"
    assert made["spanId"] in said["errorMessage"]
    assert workspace.count() == (1, 1)


def test_enumerations_that_are_not_known(workspace: Workspace) -> None:
    sent = [
        json_span(kind=99, status={"code": 42}),
        json_span(kind="SPAN_KIND_CLIENT", status={"code": "STATUS_CODE_ERROR"}),
        json_span(kind="SPAN_KIND_NEW", status={"code": None}),
        json_span(kind=-1, status={}),
    ]
    assert workspace.post(json_body(*sent), content_type=JSON).content == b"{}"
    assert sorted(call["status"] for call in workspace.calls()) == ["error", "ok", "ok", "ok"]
    odd = span()
    raw = odd.SerializeToString() + b"\x30\xe7\x07"  # kind = 999
    scope = b"\x12" + varint(len(raw)) + raw
    resource = b"\x12" + varint(len(scope)) + scope
    assert partial(workspace.post(b"\x0a" + varint(len(resource)) + resource)) == (0, "")
    assert workspace.count() == (5, 5)


def test_many_refused_are_all_counted_and_the_first_few_named(workspace: Workspace) -> None:
    bad = [span(start_ns=1) for _ in range(40)]
    refused, said = partial(workspace.post(body([*bad, *(span() for _ in range(3))])))
    assert refused == 40
    assert "and 35 more were refused" in said
    assert workspace.count() == (3, 3)
    sent = json_body(*(json_span(traceId="00" * 16) for _ in range(7)))
    assert (
        json.loads(workspace.post(sent, content_type=JSON).content)["partialSuccess"]["rejectedSpans"] == "7"
    )
