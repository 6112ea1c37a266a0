"""HTTP/1.1 to clients, byte by byte: whole answers on kept and closed connections, one after the other."""

from __future__ import annotations

import socket

import pytest
from running_gateway import KEY, Worker
from vendor import Vendor


def talk(worker: Worker, said: bytes) -> bytes:
    """Says it, and reads until the gateway closes the connection."""
    with socket.create_connection(("127.0.0.1", worker.port), timeout=20) as connection:
        connection.sendall(said)
        return b"".join(iter(lambda: connection.recv(65_536), b""))


def split(answer: bytes) -> tuple[list[bytes], bytes]:
    head, _, rest = answer.partition(b"\r\n\r\n")
    return head.lower().split(b"\r\n"), rest


GET = b"GET /healthz HTTP/1.1\r\nhost: x\r\n"


def test_several_requests_at_once_are_answered_in_their_order(worker: Worker) -> None:
    found = talk(
        worker,
        GET + b"\r\n" + b"GET /nothing HTTP/1.1\r\nhost: x\r\n\r\n" + GET + b"connection: close\r\n\r\n",
    )
    lines, rest = split(found)
    assert lines[0] == b"http/1.1 200 ok"
    assert b"content-length: 15" in lines
    assert sum(line.startswith(b"date: ") for line in lines) == 1
    assert rest.startswith(b'{"status":"ok"}HTTP/1.1 404 Not Found\r\n')
    last, body = split(rest[rest.rindex(b"HTTP/1.1 200") :])
    assert b"connection: close" in last
    assert body == b'{"status":"ok"}'


@pytest.mark.parametrize("said", [GET.replace(b"1.1", b"1.0"), GET + b"connection: close\r\n"])
def test_a_connection_that_is_not_kept_is_closed_and_says_so(said: bytes, worker: Worker) -> None:
    lines, body = split(talk(worker, said + b"\r\n"))
    assert b"connection: close" in lines
    assert body == b'{"status":"ok"}'


def test_a_head_without_a_body_stays_without(worker: Worker) -> None:
    lines, body = split(talk(worker, GET.replace(b"GET", b"HEAD") + b"connection: close\r\n\r\n"))
    assert (lines[0], body) == (b"http/1.1 200 ok", b"")
    assert b"content-length: 15" in lines


def test_an_upstreams_answer_is_followed_by_the_next(worker: Worker, vendor: Vendor) -> None:
    upstream = {"dialect": "openai", "base_url": vendor.url + "/v1", "models": ["m"]}
    worker.apply({"upstreams": {"one": upstream}})
    body = b'{"model":"m","messages":[{"role":"user","content":"hi"}]}'
    ask = (
        f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {KEY}\r\n"
        f"expect: 100-continue\r\ncontent-length: {len(body)}\r\n"
    ).encode()
    found = talk(worker, ask + b"\r\n" + body + ask + b"connection: close\r\n\r\n" + body)
    continued, _, rest = found.partition(b"\r\n\r\n")
    assert continued == b"HTTP/1.1 100 Continue"
    answers = rest.split(b"HTTP/1.1 200 OK\r\n")[1:]
    assert len(answers) == 2
    for one in answers:
        head, _, after = one.partition(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        assert after[:length].startswith(b"{")
        assert after[:length].endswith(b"}")
        assert after[length:] in (b"", b"HTTP/1.1 100 Continue\r\n\r\n")
