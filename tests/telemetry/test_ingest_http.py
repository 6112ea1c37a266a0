"""OTLP over HTTP to the letter, on a real core: what is answered, what is kept, and what is never half kept."""

from __future__ import annotations

import gzip
import http.client
import json
import os
import socket
import time
from typing import Any

import pytest
from google.rpc.status_pb2 import Status

from holdfast.commands import open_database
from holdfast.kernel.context import Actor, Context
from holdfast.kernel.time import utc_now
from holdfast.platform.access import actions as access
from holdfast.platform.access import reads as access_reads
from otlp_made import CHAT, body, json_body, json_span, partial, span
from running_core import JSON, PROTOBUF, CoreProcess, Workspace, until

pytestmark = pytest.mark.timeout(1200)  # a loaded machine starts a core slowly


def problem(answer: Any) -> Status:
    """The google.rpc.Status of an error, in the content type of the request."""
    if answer.headers["content-type"] == JSON:
        found = json.loads(answer.content)
        return Status(code=found["code"], message=found["message"])
    assert answer.headers["content-type"] == PROTOBUF
    return Status.FromString(answer.content)


def test_all_well_is_an_empty_answer(workspace: Workspace) -> None:
    answer = workspace.post(body([span(), span()]))
    assert (answer.status_code, answer.content, answer.headers["content-type"]) == (200, b"", PROTOBUF)
    answer = workspace.post(json_body(json_span()), content_type=JSON)
    assert (answer.status_code, answer.content, answer.headers["content-type"]) == (200, b"{}", JSON)
    assert workspace.count() == (3, 3)


def test_empty_requests_are_well(workspace: Workspace) -> None:
    assert partial(workspace.post(b"")) == (0, "")
    assert partial(workspace.post(body([]))) == (0, "")
    for empty in (b"{}", b'{"resourceSpans":[]}', b'{"resourceSpans":null}', json_body()):
        assert workspace.post(empty, content_type=JSON).content == b"{}"
    for other in ("metrics", "logs"):
        assert workspace.post(b"", other).status_code == 200
        assert workspace.post(b"{}", other, JSON).content == b"{}"
    assert workspace.count() == (0, 0)


@pytest.mark.parametrize("signal", ["traces", "metrics", "logs"])
def test_what_can_never_be_read_is_400_in_the_same_content_type(workspace: Workspace, signal: str) -> None:
    whole = body([span()])
    for bad in (b"\xff\xff\xff", b"\x0a\xff\xff\xff\xff\x0f", whole[:-3], b"\x0b", b"<html>"):
        answer = workspace.post(bad, signal)
        assert answer.status_code == 400, (bad[:20], answer.content)
        assert problem(answer).code == 3
        assert "OTLP" in problem(answer).message
    for bad in (b"", b"[]", b"{", b"nonsense", b'"\xff"', b'{"a":"\\ud800"}', b"[" * 100_000, b"1e999"):
        answer = workspace.post(bad, signal, JSON)
        assert answer.status_code == 400, (bad[:20], answer.content)
        assert answer.headers["content-type"] == JSON
        assert json.loads(answer.content)["code"] == 3
    assert workspace.count() == (0, 0)


@pytest.mark.parametrize(
    "resource",
    [
        {"attributes": "none"},
        {"attributes": [1]},
        {"attributes": [{"key": 7, "value": {"stringValue": "a"}}]},
        {"attributes": [{"key": "a", "value": {"intValue": "many"}}]},
        {"attributes": [{"key": "a", "value": {"bytesValue": "%"}}]},
        "none",
        7,
    ],
)
def test_a_malformed_resource_in_json_is_400(workspace: Workspace, resource: Any) -> None:
    answer = workspace.post(json_body(json_span(), resource=resource), content_type=JSON)
    assert answer.status_code == 400, answer.content
    assert "resource" in json.loads(answer.content)["message"]
    assert workspace.count() == (0, 0)


@pytest.mark.parametrize(
    "bad",
    [
        {"resourceSpans": 1},
        {"resourceSpans": [1]},
        {"resourceSpans": [{"scopeSpans": {}}]},
        {"resourceSpans": [{"scopeSpans": [{"spans": "x"}]}]},
        {"resourceSpans": [{"scopeSpans": [{"spans": [None]}]}]},
    ],
)
def test_json_of_another_shape_is_400(workspace: Workspace, bad: Any) -> None:
    assert workspace.post(json.dumps(bad).encode(), content_type=JSON).status_code == 400


def test_keys(core: CoreProcess, workspace: Workspace) -> None:
    for wrong in ("", "Bearer hf_nonsense", "Basic abc", f"Bearer {workspace.key}x"):
        answer = workspace.post(body([span()]), authorization=wrong)
        assert (answer.status_code, problem(answer).code) == (401, 16)
        assert answer.headers["www-authenticate"] == "Bearer"
        assert "hf_nonsense" not in problem(answer).message
    reader = core.workspace(workspace.slug, "read")
    answer = reader.post(body([span()]))
    assert (answer.status_code, problem(answer).code) == (403, 7)
    assert "ingest" in problem(answer).message
    assert reader.post(json_body(json_span()), content_type=JSON).headers["content-type"] == JSON
    other = core.client.post(
        "/v1/traces",
        content=body([span()]),
        headers={"x-holdfast-key": workspace.key, "content-type": PROTOBUF},
    )
    assert other.status_code == 200
    assert workspace.count() == (1, 1)


def test_a_revoked_key_is_refused(core: CoreProcess, workspace: Workspace) -> None:
    revoked = core.workspace(workspace.slug, "ingest")
    assert revoked.post(body([span()])).status_code == 200
    database = open_database(core.settings)
    with database.transaction() as tx:
        found = access_reads.key_by_text(tx, revoked.key)
        assert found is not None
        ctx = Context(found.workspace, Actor("cli", "test", "Test"), utc_now())
        access.revoke_key(ctx, tx, found.id)
    database.close()
    until(lambda: revoked.post(b"").status_code == 401, 10, "the refusal")
    assert workspace.count() == (1, 1)


def test_one_workspace_never_sees_what_another_sent(core: CoreProcess, workspace: Workspace) -> None:
    neighbour = core.workspace()
    made = span(attributes={**CHAT, "gen_ai.conversation.id": "canary-7c1f"})
    assert partial(workspace.post(body([made]))) == (0, "")
    assert (workspace.count(), neighbour.count()) == ((1, 1), (0, 0))
    assert "canary" not in json.dumps(neighbour.calls())
    trace = core.client.get(
        f"/api/v1/traces/{made.trace_id.hex()}", headers={"authorization": f"Bearer {neighbour.key}"}
    )
    assert trace.status_code == 404
    assert "canary" not in trace.text
    # the same ids in the neighbour's workspace are another span
    assert partial(neighbour.post(body([made]))) == (0, "")
    assert (workspace.count(), neighbour.count()) == ((1, 1), (1, 1))


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"])
def test_only_post_is_understood(workspace: Workspace, method: str) -> None:
    answer = workspace.core.client.request(
        method, "/v1/traces", headers={"authorization": f"Bearer {workspace.key}"}
    )
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


def test_other_types_and_encodings_are_415(workspace: Workspace) -> None:
    for content_type in ("text/plain", "application/xml", "", "application/grpc"):
        assert workspace.post(body([span()]), content_type=content_type).status_code == 415
    for encoding in ("deflate", "br", "zstd", "gzip, gzip"):
        answer = workspace.post(body([span()]), content_encoding=encoding)
        assert (answer.status_code, problem(answer).code) == (415, 3)
    assert workspace.post(json_body(json_span()), content_type=f"{JSON}; charset=utf-8").status_code == 200
    assert (
        workspace.post(body([span()]), content_type=PROTOBUF.upper(), content_encoding="identity").status_code
        == 200
    )
    assert workspace.count() == (2, 2)


def test_gzip(workspace: Workspace) -> None:
    one, two = body([span()]), body([span()])
    assert partial(workspace.post(gzip.compress(one), content_encoding="gzip")) == (0, "")
    members = gzip.compress(two[:40]) + gzip.compress(b"") + gzip.compress(two[40:])
    assert partial(workspace.post(members, content_encoding="GZIP")) == (0, "")
    assert (
        workspace.post(
            gzip.compress(json_body(json_span())), content_type=JSON, content_encoding="gzip"
        ).content
        == b"{}"
    )
    assert workspace.count() == (3, 3)


def test_gzip_that_is_broken(workspace: Workspace) -> None:
    whole = gzip.compress(body([span()]))
    flipped = whole[:-6] + bytes([whole[-6] ^ 1]) + whole[-5:]
    for bad in (whole[:-1], whole[:9], b"no gzip at all", whole + b"more", flipped, b"\x1f\x8b"):
        answer = workspace.post(bad, content_encoding="gzip")
        assert (answer.status_code, problem(answer).code) == (400, 3)
        assert "gzip" in problem(answer).message
    started = time.monotonic()
    assert workspace.post(gzip.compress(b"") * 400_000, content_encoding="gzip").status_code == 400
    assert time.monotonic() - started < 5
    assert workspace.count() == (0, 0)


def test_a_gzip_bomb_is_413(workspace: Workspace) -> None:
    bomb = gzip.compress(bytes(100 << 20), 1)
    assert len(bomb) < 1 << 20
    answer = workspace.post(bomb, content_encoding="gzip")
    assert answer.status_code == 413
    assert "HOLDFAST_MAX_BODY_BYTES" in problem(answer).message
    assert workspace.post(bomb[:200_000] * 2, content_encoding="gzip").status_code == 413


def test_an_oversized_body_is_413(workspace: Workspace) -> None:
    declared = workspace.post(bytes((16 << 20) + 1))
    assert (declared.status_code, problem(declared).code) == (413, 3)
    # without a declared length it is found out on the way
    connection = http.client.HTTPConnection("127.0.0.1", workspace.core.port, timeout=30)
    headers = {"authorization": f"Bearer {workspace.key}", "content-type": PROTOBUF}
    connection.request(
        "POST",
        "/v1/traces",
        iter([bytes(1 << 20)] * 17),
        {**headers, "transfer-encoding": "chunked"},
        encode_chunked=True,
    )
    assert connection.getresponse().status == 413
    connection.close()
    assert partial(workspace.post(body([span()]))) == (0, "")


def test_a_full_queue_is_503_with_retry_after(core: CoreProcess, workspace: Workspace) -> None:
    """Senders that declare much and send nothing hold all the room; the next is told to come back."""
    stalled = [workspace.stalled(16 << 20) for _ in range(2)]
    sent = body([span()])
    answer = workspace.post(sent)
    assert (answer.status_code, problem(answer).code) == (503, 14)
    assert int(answer.headers["retry-after"]) >= 1
    as_json = workspace.post(json_body(json_span()), content_type=JSON)
    assert (as_json.status_code, as_json.headers["content-type"]) == (503, JSON)
    for one in stalled:
        one.close()
    until(lambda: workspace.post(sent).status_code == 200, 20, "the room given back")
    assert workspace.count() == (1, 1)


def test_senders_that_leave_in_the_middle_do_no_harm(core: CoreProcess, workspace: Workspace) -> None:
    sent = body([span() for _ in range(50)])
    head = (
        f"POST /v1/traces HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {workspace.key}\r\n"
        f"content-type: {PROTOBUF}\r\ncontent-length: {len(sent)}\r\n\r\n"
    ).encode()
    for cut in (10, len(head), len(head) + 1, len(head) + len(sent) - 1):
        with socket.create_connection(("127.0.0.1", core.port)) as connection:
            connection.sendall((head + sent)[:cut])
    assert workspace.count() == (0, 0)
    with socket.create_connection(("127.0.0.1", core.port)) as connection:
        connection.sendall(head + sent)  # whole, but nobody waits for the answer
    until(lambda: workspace.count() == (50, 50), 20, "the whole request")
    assert partial(workspace.post(sent)) == (0, "")
    assert workspace.count() == (50, 50)


def test_random_bytes_are_never_500(workspace: Workspace) -> None:
    whole = bytearray(body([span() for _ in range(5)]))
    for number in range(60):
        mutated = bytearray(whole)
        for _ in range(number % 7 + 1):
            mutated[int.from_bytes(os.urandom(4)) % len(mutated)] = os.urandom(1)[0]
        assert workspace.post(bytes(mutated)).status_code in (200, 400)
    assert "Traceback" not in workspace.core.log.read_text()
