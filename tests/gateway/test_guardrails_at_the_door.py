"""Guardrails on the live path: what they find goes neither up nor down, in every dialect, whole and streamed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import anthropic
import httpx2
import msgspec
import openai
import pytest
from guarded import MAIL, SECRET, WORDS, chat, configure, post, verdicts
from hook import Hook
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from running_gateway import KEY, Worker
from vendor import Vendor

from holdfast.gateway.guardrails.judging import Verdict
from holdfast.gateway.proxy.records import Record, decode, encode
from holdfast.gateway.proxy.spans import request as spans_of
from holdfast.kernel.time import utc_now
from running_core import NO_TLS, until


@pytest.fixture(scope="module")
def hook() -> Iterator[Hook]:
    made = Hook()
    yield made
    made.stop()


@pytest.fixture(scope="module", autouse=True)
def configured(worker: Worker, vendor: Vendor, hook: Hook) -> None:
    configure(worker, vendor, hook)


@pytest.fixture(autouse=True)
def usual(vendor: Vendor, hook: Hook) -> Iterator[None]:
    yield
    vendor.words, hook.says = list(WORDS), lambda asked: {"verdict": "allow"}
    vendor.tell("m", "well")


CALLED = {"id": MAIL, "type": "function", "function": {"name": "f", "arguments": json.dumps({"to": MAIL})}}
DOCUMENT = {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": MAIL}}
TOOL_USE = {"type": "tool_use", "id": "t", "name": "f", "input": {"name": MAIL, "id": 4111111111111111}}
SAID = {"messages": [{"role": "user", "content": SECRET}]}
REFUSED = ("invalid_request_error", "holdfast_guardrail")
TOOL_RESULT = {
    "type": "tool_result",
    "tool_use_id": "t1",
    "content": [{"type": "text", "text": f"to {MAIL}"}],
}
ASKED: list[tuple[str, str, dict[str, Any], int]] = [
    (
        "gpt",
        "/v1/chat/completions",
        {
            "messages": [
                {"role": "system", "content": f"You serve {MAIL}"},
                {"role": "user", "content": [{"type": "text", "text": f"I am {MAIL}"}]},
                {"role": "assistant", "tool_calls": [CALLED]},
                {"role": "tool", "tool_call_id": "t1", "content": f"sent to {MAIL}"},
            ]
        },
        4,
    ),
    ("gpt", "/v1/responses", {"instructions": f"serve {MAIL}", "input": f"I am {MAIL}"}, 2),
    (
        "gpt",
        "/v1/responses",
        {
            "input": [
                {"role": "user", "content": [{"type": "input_text", "text": MAIL}]},
                {"type": "function_call_output", "call_id": "c", "output": f"to {MAIL}"},
            ]
        },
        2,
    ),
    (
        "claude",
        "/v1/messages",
        {"max_tokens": 9, "system": f"serve {MAIL}", "messages": [{"role": "user", "content": [TOOL_RESULT]}]},
        2,
    ),
    (
        "claude",
        "/v1/messages",
        {
            "max_tokens": 9,
            "messages": [
                {"role": "user", "content": [DOCUMENT]},
                {"role": "assistant", "content": [TOOL_USE]},
            ],
        },
        3,
    ),
    (
        "google",
        "/v1beta/models/m:generateContent",
        {
            "systemInstruction": {"parts": [{"text": f"serve {MAIL}"}]},
            "contents": [
                {"parts": [{"text": MAIL}]},
                {"parts": [{"functionResponse": {"name": "f", "response": {"name": MAIL}}}]},
            ],
        },
        3,
    ),
    ("gpt", "/v1/embeddings", {"input": ["clean", f"of {MAIL}"]}, 1),
]  # fmt: skip


@pytest.mark.parametrize(("chain", "path", "body", "count"), ASKED)
def test_what_is_found_in_a_request_does_not_go_up(
    chain: str, path: str, body: dict[str, Any], count: int, worker: Worker, vendor: Vendor
) -> None:
    answer = post(worker, f"{chain}-mask", path, **body)
    assert answer.status_code == 200, answer.text
    assert answer.headers["x-holdfast-guardrail"] == "mask=redact"
    sent = vendor.seen[-1]["body"]
    sent.pop("model", None)
    record = worker.records()[-1]
    assert verdicts(record)[0] == ("mask", "input", "redact", count)
    for told in (sent, json.loads(record.request)):
        told.pop("model", None)
        left = json.dumps(told).replace('"id": "' + MAIL, "")
        assert MAIL not in left
        assert left.count("[EMAIL]") + left.count("[CARD]") == count
    undone = json.dumps(sent).replace("[EMAIL]", MAIL).replace('"[CARD]"', "4111111111111111")
    assert json.loads(undone) == body


def test_all_but_what_is_found_stays_byte_for_byte(worker: Worker, vendor: Vendor) -> None:
    messages = (
        '[ {"role":"user", "content":"a \\u00e9 jane.doe@example.com \\/ b", "odd":1.50, "n":1e3},\t'
        '{"content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA"}}],"role":"user"} ]'
    )
    raw = '{"model":"m","messages":' + messages + ',"x":[ 1.0 , {"y" : "jane.doe@example.com"}]}'
    headers = {"authorization": f"Bearer {KEY}", "x-holdfast-route": "gpt-mask"}
    httpx2.post(worker.url + "/v1/chat/completions", content=raw, headers=headers, verify=NO_TLS)
    sent = vendor.seen[-1]["raw"].decode()
    assert messages.replace('"a \\u00e9 jane.doe@example.com \\/ b"', '"a é [EMAIL] / b"') in sent
    assert '[ 1.0 , {"y" : "jane.doe@example.com"}]' in sent


ERRORS = {
    "/v1/chat/completions": lambda body: (body["error"]["type"], body["error"]["code"]),
    "/v1/messages": lambda body: (body["error"]["type"], body["error"]["details"]["error_code"]),
    "/v1beta/models/m:generateContent": lambda body: (body["error"]["status"], body["error"]["code"]),
}


@pytest.mark.parametrize(
    ("chain", "path", "body", "said"),
    [
        ("gpt", "/v1/chat/completions", SAID, REFUSED),
        ("claude", "/v1/messages", {"max_tokens": 9, **SAID}, REFUSED),
        (
            "google",
            "/v1beta/models/m:generateContent",
            {"contents": [{"parts": [{"text": SECRET}]}]},
            ("INVALID_ARGUMENT", 400),
        ),
    ],
)  # fmt: skip
def test_a_blocked_request_reaches_no_upstream(
    chain: str, path: str, body: dict[str, Any], said: Any, worker: Worker, vendor: Vendor
) -> None:
    asked = vendor.meter["asked"]
    answer = post(worker, f"{chain}-keys", path, **body)
    assert (answer.status_code, ERRORS[path](answer.json())) == (400, said)
    assert answer.json()["error"]["message"] == "Take the key out (guardrail keys)"
    assert answer.headers["x-holdfast-guardrail"] == "keys=block"
    assert SECRET not in answer.text
    assert vendor.meter["asked"] == asked
    record = worker.records()[-1]
    assert (record.error, record.status, record.cost) == ("guardrail_blocked", 400, None)
    assert verdicts(record) == [("keys", "input", "block", 1)]
    assert SECRET.encode() not in encode(record)


def test_too_much_text_is_blocked_wherever_it_stands(worker: Worker) -> None:
    parts = [{"role": "user", "content": "é" * 90}, {"role": "user", "content": "é" * 90}]
    assert post(worker, "gpt-short", messages=parts).status_code == 200
    answer = post(worker, "gpt-short", messages=[*parts, *parts])
    assert (answer.status_code, answer.headers["x-holdfast-guardrail"]) == (400, "short=block")


def test_variables_of_a_prompt_are_judged_where_they_stand(worker: Worker, vendor: Vendor) -> None:
    answer = chat(worker, "prompted", holdfast={"variables": {"to": MAIL}})
    assert answer.status_code == 200
    assert vendor.seen[-1]["body"]["messages"][0]["content"] == "Write to [EMAIL]."
    assert MAIL.encode() not in encode(worker.records()[-1])
    quoted = json.dumps({"to": MAIL})
    chat(worker, "prompted", metadata={"holdfast_variables": quoted})
    assert MAIL not in vendor.seen[-1]["raw"].decode()


ANSWERED = [
    ("gpt", "/v1/chat/completions", {"messages": []}),
    ("gpt", "/v1/responses", {"input": "x"}),
    ("claude", "/v1/messages", {"max_tokens": 9, "messages": []}),
    ("google", "/v1beta/models/m:generateContent", {"contents": []}),
    ("google", "/v1/chat/completions", None),
]


@pytest.mark.parametrize(("chain", "path", "body"), ANSWERED[:4])
def test_what_is_found_in_an_answer_does_not_go_out(
    chain: str, path: str, body: dict[str, Any], worker: Worker, vendor: Vendor
) -> None:
    vendor.words = ["Write to ", "jane.doe@", "example.com", "."]
    answer = post(worker, f"{chain}-mask", path, **body)
    assert answer.status_code == 200
    assert MAIL not in answer.text
    assert "Write to [EMAIL]." in answer.text
    assert answer.headers["x-holdfast-guardrail"] == "mask=redact"
    record = worker.records()[-1]
    assert verdicts(record) == [("mask", "input", "allow", 0), ("mask", "output", "redact", 1)]
    assert record.response == answer.content
    assert record.usage is not None
    vendor.words = ["The key: ", SECRET]
    answer = post(worker, f"{chain}-keys", path, **body)
    assert answer.status_code == 400
    assert SECRET not in answer.text
    record = worker.records()[-1]
    assert (record.error, record.status) == ("guardrail_blocked", 400)
    assert SECRET.encode() not in encode(record)
    assert record.usage is not None, "it was generated, and is billed"


def test_a_clean_answer_passes_byte_for_byte(worker: Worker, vendor: Vendor) -> None:
    for stream in (False, True):
        with_, without = (chat(worker, route, stream=stream) for route in ("gpt-mask", "gpt-"))
        assert with_.content == without.content
        assert "x-holdfast-guardrail" not in with_.headers


def test_a_stream_read_by_the_official_sdk_of_openai(worker: Worker, vendor: Vendor) -> None:
    vendor.words = [*("Hello, " * 60).split("|"), "jane.", "doe@exam", "ple.com", " and more. " * 40]
    client = openai.OpenAI(base_url=worker.url + "/v1", api_key=KEY, max_retries=0)
    headers = {"x-holdfast-route": "gpt-mask"}
    asked: Any = [{"role": "user", "content": "x"}]
    chunks = client.chat.completions.create(model="m", messages=asked, stream=True, extra_headers=headers)
    text = "".join(one.choices[0].delta.content or "" for one in chunks)
    assert text == "".join(vendor.words).replace(MAIL, "[EMAIL]")
    record = worker.records()[-1]
    assert verdicts(record)[1] == ("mask", "output", "redact", 1)
    assert MAIL.encode() not in encode(record)
    with client.responses.stream(model="m", input="x", extra_headers=headers) as stream:
        deltas = "".join(one.delta for one in stream if one.type == "response.output_text.delta")
        assert stream.get_final_response().output_text == deltas == text


@pytest.mark.parametrize("trickles", ["well", "trickle"])
def test_a_stream_read_by_the_official_sdk_of_anthropic(
    trickles: str, worker: Worker, vendor: Vendor
) -> None:
    vendor.tell("m", trickles)
    vendor.words = ["Call ", "+49 30", " 9018", "20", " or write to jane.doe@exam", "ple.com"]
    client = anthropic.Anthropic(base_url=worker.url, api_key=KEY, max_retries=0)
    with client.messages.stream(
        model="m",
        max_tokens=99,
        messages=[{"role": "user", "content": "x"}],
        extra_headers={"x-holdfast-route": "claude-mask"},
    ) as stream:
        assert "".join(stream.text_stream) == "Call [PHONE] or write to [EMAIL]"
        assert stream.get_final_message().stop_reason == "end_turn"
    record = worker.records()[-1]
    assert (record.error, record.usage is not None) == (None, True)


def test_a_block_ends_a_stream_in_the_dialects_own_words(worker: Worker, vendor: Vendor) -> None:
    vendor.words = [
        *["Hello, my dear friend. "] * 40,
        "The key is ghp_abcdefghijklm",
        "nopqrstuvwxyz0123456789",
        *[" and so on"] * 60,
    ]
    until_key = "".join(vendor.words[:41])
    client = openai.OpenAI(base_url=worker.url + "/v1", api_key=KEY, max_retries=0)
    chunks = client.chat.completions.create(
        model="m",
        messages=[{"role": "user", "content": "x"}],
        stream=True,
        extra_headers={"x-holdfast-route": "gpt-keys"},
    )
    pieces: list[str] = []
    with pytest.raises(openai.APIError) as error:
        pieces.extend(one.choices[0].delta.content or "" for one in chunks)
    assert error.value.code == "holdfast_guardrail"
    seen = "".join(pieces)
    assert until_key.startswith(seen)
    assert "ghp" not in seen
    record = worker.records()[-1]
    assert (record.error, record.status) == ("guardrail_blocked", 400)
    assert record.estimated or record.usage
    assert b"holdfast_guardrail" in record.response
    assert b"ghp_" not in encode(record)
    claude = anthropic.Anthropic(base_url=worker.url, api_key=KEY, max_retries=0)
    with (
        pytest.raises(anthropic.APIStatusError) as told,
        claude.messages.stream(
            model="m",
            max_tokens=99,
            messages=[{"role": "user", "content": "x"}],
            extra_headers={"x-holdfast-route": "claude-keys"},
        ) as stream,
    ):
        for _ in stream.text_stream:
            pass
    assert told.value.body["error"]["details"]["error_code"] == "holdfast_guardrail"  # type: ignore[index]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("path", "route"), [("/v1/chat/completions", "claude-mask"), ("/v1/messages", "gpt-mask")]
)
def test_a_request_said_in_another_dialect_is_judged_as_its_client_said_it(
    path: str, route: str, stream: bool, worker: Worker, vendor: Vendor
) -> None:
    vendor.words = ["To ", MAIL[:9], MAIL[9:], " it went."]
    body = {"max_tokens": 9, "messages": [{"role": "user", "content": f"I am {MAIL}"}], "stream": stream}
    answer = post(worker, route, path, **body)
    assert answer.status_code == 200
    assert MAIL not in vendor.seen[-1]["raw"].decode()
    assert MAIL not in answer.text
    assert "[EMAIL]" in answer.text
    assert [one.verdict for one in worker.records()[-1].verdicts] == ["redact", "redact"]


def test_geminis_streams_are_judged_too(worker: Worker, vendor: Vendor) -> None:
    vendor.words = ["To ", MAIL[:9], MAIL[9:], " it went."]
    answer = post(worker, "google-mask", "/v1beta/models/m:streamGenerateContent?alt=sse", contents=[])
    assert MAIL not in answer.text.replace('"}], "role"', "")
    assert "[EMAIL]" in answer.text


def test_a_stream_that_goes_on_elsewhere_is_judged_over_the_seam(worker: Worker, vendor: Vendor) -> None:
    """What the first upstream said goes up to the second as judged as anything else."""
    vendor.tell("broken", "reset mid")
    vendor.words = ["I am jane.doe@example.com", " or john.doe@exam", "ple.com", " or so"]
    answer = chat(worker, "gone-on", stream=True)
    said = "".join(
        json.loads(line[5:])["choices"][0]["delta"].get("content", "")
        for line in answer.text.splitlines()
        if line.startswith("data: {")
    )
    assert said.startswith("I am [EMAIL] or john.doe@examI am [EMAIL] or [EMAIL] or so")
    assert "jane" not in answer.text
    assert vendor.seen[-1]["body"]["messages"][-1] == {
        "role": "assistant",
        "content": "I am [EMAIL] or john.doe@exam",
    }
    record = worker.records()[-1]
    assert (record.error, len(record.attempts)) == (None, 1)
    assert [(one.at, one.verdict) for one in record.verdicts] == [
        ("input", "allow"),
        ("input", "redact"),
        ("output", "redact"),
    ]
    assert MAIL.encode() not in encode(record)


def test_a_kept_answer_was_judged_already(worker: Worker, vendor: Vendor) -> None:
    vendor.words = ["To ", MAIL]
    first, again = (chat(worker, "cached", f"kept for {MAIL}") for _ in range(2))
    assert again.headers["x-holdfast-cache"] == "hit"
    assert again.content == first.content
    assert MAIL not in again.text
    record = worker.records()[-1]
    assert (record.cache_hit, verdicts(record)) == (True, [("mask", "input", "redact", 1)])
    assert MAIL.encode() not in encode(record)


def test_a_copy_goes_nowhere_by_less_than_its_original(worker: Worker, vendor: Vendor) -> None:
    before = len(worker.records())
    chat(worker, "shadowed", f"I am {MAIL}")
    records = worker.recorded(before + 2)[before:]
    assert {bool(one.shadow_of) for one in records} == {True, False}
    asked = [one for one in vendor.seen if one["body"].get("model") == "copy"]
    assert asked
    assert all(MAIL not in one["raw"].decode() for one in asked)
    assert all(MAIL.encode() not in encode(one) for one in records)


def test_what_cannot_be_judged_is_not_passed_through(worker: Worker, vendor: Vendor) -> None:
    asked = vendor.meter["asked"]
    for path in ("/v1/completions", "/v1/files", "/v1/batches"):
        answer = post(worker, "gpt-mask", path, prompt=MAIL)
        assert (answer.status_code, "guardrails" in answer.text) == (400, True)
    assert vendor.meter["asked"] == asked
    assert post(worker, "gpt-", "/v1/completions", prompt="x").status_code == 200


def test_flags_rules_and_forms(worker: Worker, vendor: Vendor) -> None:
    vendor.words = ["Project Zeus ", MAIL]
    answer = chat(worker, "gpt-names", "about project apollo")
    assert vendor.seen[-1]["body"]["messages"][0]["content"] == "about [PROJECT]"
    assert f"[PROJECT] {MAIL}" in answer.text
    answer = chat(worker, "gpt-note", MAIL)
    assert MAIL in vendor.seen[-1]["raw"].decode()
    assert MAIL in answer.text
    assert answer.headers["x-holdfast-guardrail"] == "note=flag"
    assert chat(worker, "gpt-form").status_code == 400
    vendor.words = ['{"n"', ": 3}"]
    assert chat(worker, "gpt-form").status_code == 200


def test_a_client_that_leaves_a_held_stream_frees_the_upstream(worker: Worker, vendor: Vendor) -> None:
    vendor.tell("m", "hold mid")
    headers = {"authorization": f"Bearer {KEY}", "x-holdfast-route": "gpt-mask"}
    body = {"model": "m", "messages": [], "stream": True}
    before = len(worker.records())
    with httpx2.stream(
        "POST", worker.url + "/v1/chat/completions", json=body, headers=headers, verify=NO_TLS
    ) as answer:
        assert answer.status_code == 200
    until(lambda: vendor.open == 0, 10, "the upstream to be let go")
    assert worker.recorded(before + 1)[-1].error == "client_closed_request"


def test_verdicts_are_events_of_the_calls_span_and_older_records_are_read() -> None:
    made = decode(encode(_record([Verdict("mask", "pii", "output", "redact", 2, ("email", "iban"), 1.5)])))
    (span,) = ExportTraceServiceRequest.FromString(spans_of([made])).resource_spans[0].scope_spans[0].spans
    (event,) = span.events
    assert event.name == "holdfast.guardrail"
    assert event.time_unix_nano == made.started_ns
    said = {one.key.removeprefix("holdfast.guardrail."): one.value for one in event.attributes}
    assert (said["name"].string_value, said["verdict"].string_value) == ("mask", "redact")
    assert (said["count"].int_value, said["duration_ms"].double_value) == (2, 1.5)
    assert [one.string_value for one in said["entities"].array_value.values] == ["email", "iban"]
    found = {one.key: one.value for one in span.attributes}["holdfast.guardrail.verdicts"].array_value.values
    assert [one.string_value for one in found] == ["output mask=redact"]
    older = msgspec.msgpack.decode(encode(made))[: Record.__struct_fields__.index("verdicts")]
    assert decode(msgspec.msgpack.encode(older)).verdicts == []


def _record(verdicts: list[Verdict]) -> Record:
    from holdfast.gateway.model import Dialect, Dimensions

    began = int(utc_now().timestamp() * 1e9)
    return Record(
        "ws",
        b"t" * 16,
        b"s" * 8,
        b"",
        began,
        "chat",
        Dialect.OPENAI,
        Dimensions(),
        "k",
        "m",
        False,
        verdicts=verdicts,
    )
