"""Upstreams that stall, reset, trickle, send half, refuse in storms or break off: what the client sees, what is recorded."""

from __future__ import annotations

import socket
from typing import Any

import anthropic
import httpx2
import openai
import pytest
from running_gateway import KEY, Worker
from vendor import Vendor

from running_core import NO_TLS, until

MESSAGES: Any = [{"role": "user", "content": "Say hello"}]
QUICK = {"connect": 1, "first_byte": 0.5, "between_bytes": 0.5, "total": 5}
HEADERS = {"authorization": f"Bearer {KEY}"}
_numbers = iter(range(10_000))


def document(vendor: Vendor, first: str, second: str, **route: Any) -> dict[str, Any]:
    """A route `r` over two upstreams at the same vendor: one is asked for the model `first`, the other for `second`."""
    upstream = {"dialect": "openai", "base_url": vendor.url + "/v1", "timeouts": QUICK}
    chain = [{"upstream": "one", "model": first}, {"upstream": "two", "model": second}]
    return {
        "upstreams": {"one": upstream, "two": upstream},
        "releases": {"v1": {"chain": chain if second else chain[:1]}},
        "routes": {"r": {"release": "v1", "models": ["alias"], **route}},
    }


@pytest.fixture
def names() -> tuple[str, str]:
    """Two model names that no other test uses, so that no breaker knows them."""
    number = next(_numbers)
    return f"bad-{number}", f"good-{number}"


def ask(worker: Worker, **more: Any) -> httpx2.Response:
    body = {"model": "alias", "messages": MESSAGES, **more}
    return httpx2.post(
        worker.url + "/v1/chat/completions", json=body, headers=HEADERS, verify=NO_TLS, timeout=20
    )


def request(body: bytes) -> bytes:
    """A whole request as it goes over a plain socket."""
    head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {KEY}\r\n"
    return f"{head}content-length: {len(body)}\r\n\r\n".encode() + body


@pytest.mark.parametrize("how", ["500", "503", "429", "529", "404", "401", "stall", "reset", "half"])
@pytest.mark.parametrize("stream", [False, True])
def test_another_upstream_takes_over(
    how: str, stream: bool, worker: Worker, vendor: Vendor, names: tuple[str, str]
) -> None:
    bad, good = names
    if how == "half" and stream:
        pytest.skip("half a JSON is no stream")
    vendor.tell(bad, how)
    worker.apply(document(vendor, bad, good))
    before = len(worker.records())
    got = ask(worker, stream=stream)
    assert got.status_code == 200
    assert "friend" in got.text
    [record] = worker.recorded(before + 1)[before:]
    assert (record.upstream, record.request_model, record.error) == ("two", good, None)
    assert [attempt.upstream for attempt in record.attempts] == ["one"]
    assert record.attempts[0].status == (int(how) if how.isdecimal() else None)


def test_what_only_the_client_can_mend_is_told_to_it_at_once(
    worker: Worker, vendor: Vendor, names: tuple[str, str]
) -> None:
    bad, good = names
    vendor.tell(bad, "400")
    worker.apply(document(vendor, bad, good))
    asked, before = vendor.meter["asked"], len(worker.records())
    got = ask(worker)
    assert got.status_code == 400
    assert got.json()["error"]["type"] == "told", "the vendor's own words"
    assert vendor.meter["asked"] == asked + 1
    assert worker.recorded(before + 1)[-1].error == "told"


def test_a_single_upstream_is_asked_again_and_its_wish_to_wait_is_honoured(
    worker: Worker, vendor: Vendor, names: tuple[str, str]
) -> None:
    bad, _ = names
    vendor.tell(bad, "429 1", "well")
    worker.apply(document(vendor, bad, ""))
    got = ask(worker)
    assert got.status_code == 200
    record = worker.records()[-1]
    assert record.attempts[0].status == 429
    assert record.ended_ns - record.attempts[0].ended_ns > 0.9e9


def test_retries_never_multiply_an_outage(worker: Worker, vendor: Vendor, names: tuple[str, str]) -> None:
    bad, _ = names
    vendor.tell(bad, "429")
    worker.apply(document(vendor, bad, "", retries=2))
    asked = vendor.meter["asked"]
    with httpx2.Client(verify=NO_TLS, timeout=20) as http:
        for _ in range(40):
            body = {"model": "alias", "messages": MESSAGES}
            assert (
                http.post(worker.url + "/v1/chat/completions", json=body, headers=HEADERS).status_code == 429
            )
    tried = vendor.meter["asked"] - asked
    assert 40 <= tried <= 40 * 1.2 + 10 + 1, "a fifth of the traffic, and ten to begin with"


def test_a_breaker_opens_and_closes_after_several_good_probes(
    worker: Worker, vendor: Vendor, names: tuple[str, str]
) -> None:
    bad, good = names
    vendor.tell(bad, "500")
    worker.apply(document(vendor, bad, good))
    for _ in range(5):
        assert ask(worker).status_code == 200
    asked = sum(one["body"].get("model") == bad for one in vendor.seen)
    assert asked == 5
    for _ in range(5):
        assert worker.url
        assert ask(worker).headers["x-holdfast-upstream"] == "two"
    assert sum(one["body"].get("model") == bad for one in vendor.seen) == asked, "it is left alone"
    vendor.tell(bad, "well")
    until(lambda: ask(worker).headers["x-holdfast-upstream"] == "one", 15, "a probe")
    answers = [ask(worker).headers["x-holdfast-upstream"] for _ in range(4)]
    assert answers[-2:] == ["one", "one"]


@pytest.mark.parametrize("how", ["close mid", "reset mid", "stall mid"])
def test_a_stream_that_breaks_ends_in_the_dialects_own_error(
    how: str, worker: Worker, vendor: Vendor, names: tuple[str, str]
) -> None:
    bad, good = names
    vendor.tell(bad, how)
    worker.apply(document(vendor, bad, good))
    with (
        openai.OpenAI(base_url=worker.url + "/v1", api_key=KEY, max_retries=0) as client,
        pytest.raises(openai.APIError, match="broke off"),
    ):
        for _ in client.chat.completions.create(model="alias", messages=MESSAGES, stream=True):
            pass
    record = worker.records()[-1]
    assert record.error in ("stream_ended_early", "connection_broken", "timeout")
    assert (record.upstream, record.finish_reasons) == ("one", ())


def test_a_broken_stream_of_anthropic(worker: Worker, vendor: Vendor, names: tuple[str, str]) -> None:
    bad, _ = names
    vendor.tell(bad, "close mid")
    worker.apply(
        {
            "upstreams": {"one": {"dialect": "anthropic", "base_url": vendor.url + "/v1"}},
            "releases": {"v1": {"chain": [{"upstream": "one", "model": bad}]}},
            "routes": {"r": {"release": "v1", "models": ["alias"]}},
        }
    )
    with (
        anthropic.Anthropic(base_url=worker.url, api_key=KEY, max_retries=0) as client,
        pytest.raises(anthropic.APIError, match="broke off"),
        client.messages.stream(model="alias", max_tokens=9, messages=MESSAGES) as stream,
    ):
        for _ in stream:
            pass
    record = worker.records()[-1]
    assert record.estimated, "the count at the start is not what was generated"


def test_the_vendors_own_error_in_a_stream_passes_as_it_is(
    worker: Worker, vendor: Vendor, names: tuple[str, str]
) -> None:
    bad, _ = names
    vendor.tell(bad, "error mid")
    worker.apply(document(vendor, bad, ""))
    text = ask(worker, stream=True).text
    assert text.count('"error"') == 1
    assert worker.records()[-1].error == "server_error"


def test_a_trickle_arrives_whole(worker: Worker, vendor: Vendor, names: tuple[str, str]) -> None:
    bad, _ = names
    vendor.tell(bad, "trickle")
    worker.apply(document(vendor, bad, ""))
    got = ask(worker, stream=True)
    assert got.text.endswith("data: [DONE]\n\n")
    record = worker.records()[-1]
    assert (record.error, record.finish_reasons) == (None, ("stop",))
    assert record.usage is not None
    assert '"usage"' not in got.text, "hidden also where it came byte by byte"


@pytest.mark.parametrize("stream", [False, True])
def test_a_client_that_leaves_closes_the_upstream_at_once(
    stream: bool, worker: Worker, vendor: Vendor, names: tuple[str, str]
) -> None:
    bad, _ = names
    vendor.tell(bad, "stall mid" if stream else "stall")
    slow = document(vendor, bad, "")
    slow["upstreams"]["one"] = {**slow["upstreams"]["one"], "timeouts": {}}
    worker.apply(slow)
    before = len(worker.records())
    body = b'{"model":"alias","messages":[],"stream":%s}' % (b"true" if stream else b"false")
    with socket.create_connection(("127.0.0.1", worker.port)) as connection:
        connection.sendall(request(body))
        until(lambda: vendor.open == 1, 10, "the request at the vendor")
        if stream:
            assert any(b"Hello" in line for line in connection.makefile("rb"))
    until(lambda: vendor.open == 0, 2, "the vendor's end of it")
    [record] = worker.recorded(before + 1)[before:]
    assert record.error == "client_closed_request"


def test_no_place_in_time_is_told_with_when_to_come_back(
    worker: Worker, vendor: Vendor, names: tuple[str, str]
) -> None:
    bad, _ = names
    vendor.tell(bad, "stall")
    narrow = document(vendor, bad, "", deadline=0.2, retries=0)
    narrow["upstreams"]["one"] = {**narrow["upstreams"]["one"], "timeouts": {}, "concurrency": 1}
    worker.apply(narrow)
    body = b'{"model":"alias","messages":[]}'
    with socket.create_connection(("127.0.0.1", worker.port)) as connection:
        connection.sendall(request(body))
        until(lambda: vendor.open == 1, 10, "the request at the vendor")
        got = ask(worker)
        assert got.status_code == 503
        assert got.headers["retry-after"] == "1"
    until(lambda: vendor.open == 0, 2, "the vendor's end of it")


def test_a_shutdown_breaks_no_stream(vendor: Vendor, tmp_path: Any) -> None:
    worker = Worker(tmp_path)
    vendor.tell("slow", "hold mid")
    worker.apply({"upstreams": {"one": {"dialect": "openai", "base_url": vendor.url + "/v1"}}})
    worker.start()
    try:
        body = {"model": "slow", "messages": MESSAGES, "stream": True}
        with httpx2.stream(
            "POST", worker.url + "/v1/chat/completions", json=body, headers=HEADERS, verify=NO_TLS
        ) as got:
            pieces = got.iter_bytes()
            next(pieces)
            assert worker.process is not None
            worker.process.terminate()
            until(lambda: worker.ready() == -1, 10, "the closed door")
            vendor.released.set()
            rest = b"".join(pieces)
        assert rest.endswith(b"data: [DONE]\n\n")
        assert worker.process.wait(20) == 0
        assert worker.records()[-1].error is None
    finally:
        vendor.released.clear()
        worker.kill()
