"""The control door: what the demo page's buttons call, and nobody else may."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from typing import Any

import pytest
from demo.breaks import BREAKS, Switchboard
from demo.control import Control, is_loopback

pytestmark = pytest.mark.demo


@pytest.fixture
def control() -> Iterator[Control]:
    one = Control(0, Switchboard(), lambda: {"turns": 7})
    yield one
    one.close()


def ask(control: Control, method: str, path: str, **headers: str) -> tuple[int, dict[str, Any]]:
    connection = http.client.HTTPConnection("127.0.0.1", control.port, timeout=10)
    connection.request(method, path, headers=headers)
    answer = connection.getresponse()
    body = json.loads(answer.read())
    connection.close()
    return answer.status, body


def active(body: dict[str, Any]) -> set[str]:
    return {one["name"] for one in body["breaks"] if one["active"]}


def test_breaking_and_mending_show_in_the_state(control: Control) -> None:
    status, body = ask(control, "GET", "/state")
    assert (status, active(body), body["turns"]) == (200, set(), 7)
    assert [one["name"] for one in body["breaks"]] == list(BREAKS)
    for name in BREAKS:
        status, body = ask(control, "POST", f"/break/{name}")
        assert status == 200
        assert name in active(body)
    status, body = ask(control, "POST", "/mend/slow-upstream")
    assert active(ask(control, "GET", "/state")[1]) == set(BREAKS) - {"slow-upstream"}


@pytest.mark.parametrize("path", ["/break/nothing", "/explode/new-topic", "/", "/break/"])
def test_unknown_paths_are_told_so(control: Control, path: str) -> None:
    assert ask(control, "POST", path)[0] == 404


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "demo.example"},
        {"Host": "demo.example:8411"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
    ],
)
@pytest.mark.parametrize(("method", "path"), [("POST", "/break/new-topic"), ("GET", "/state")])
def test_other_sites_are_refused_and_change_nothing(
    control: Control, headers: dict[str, str], method: str, path: str
) -> None:
    assert ask(control, method, path, **headers)[0] == 403
    assert active(ask(control, "GET", "/state")[1]) == set()


def test_loopback_names() -> None:
    assert all(map(is_loopback, ["127.0.0.1", "127.0.0.1:84", "localhost:1", "[::1]:9"]))
    assert not any(map(is_loopback, ["", "127.0.0.1.example", "10.0.0.1", "localhost.example:80"]))
