"""Slots on pages: what rooms put in stands there, in order; one that fails says so and takes nothing else with it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from fastapi import Request

from holdfast.kernel.context import Actor, Context
from holdfast.platform.access.model import Caller, Reach, Scope
from holdfast.platform.frame import FAILED, Frame, Part, gathered, parts
from holdfast.platform.tenancy.model import Workspace
from holdfast.web.assets import Assets
from holdfast.web.render import Renderer
from stand import FakeClock


@pytest.fixture
def room(tmp_path: Path) -> Frame:
    """A frame with one room's partial."""
    (tmp_path / "_line.html").write_text(
        '<li><a href="{{ base }}/alerts?{{ here.get("system") }}">{{ words_of }}</a> {{ csrf_token }}</li>'
    )
    return Frame(Renderer({"signals": tmp_path}, Assets()))


@pytest.fixture
def request_of(room: Frame) -> Request:
    app = SimpleNamespace(state=SimpleNamespace(frame=room))
    scope = {"type": "http", "method": "GET", "path": "/w/acme/today", "query_string": b"system=shop"}
    return Request(
        {**scope, "headers": [], "app": app, "server": ("x", 80), "scheme": "http", "root_path": ""}
    )


@pytest.fixture
def caller(clock: FakeClock) -> Caller:
    workspace = Workspace("ws_a", "acme", "Acme", "UTC", clock.now)
    ctx = Context("ws_a", Actor("member", "m", "M"), clock.now)
    return Caller(ctx, workspace, {Scope.READ: Reach((("", ""),))}, "token")


def line(text: str) -> Part:
    return Part("signals/_line.html", {"words_of": text})


def test_parts_stand_in_the_order_of_the_rooms(room: Frame, request_of: Request, caller: Caller) -> None:
    told: list[Mapping[str, Any]] = []

    def first(_: Request, by: Caller, facts: Mapping[str, Any]) -> Part:
        told.append({**facts, "by": by})
        return line("<b>first</b>")

    room.fill("today.waiting", first)
    room.fill("today.waiting", lambda *_: None)
    room.fill("today.waiting", lambda *_: line("second"))
    room.fill("another.slot", lambda *_: line("elsewhere"))
    found = parts(request_of, caller, "today.waiting", system="shop")
    assert found == [
        '<li><a href="/w/acme/alerts?shop">&lt;b&gt;first&lt;/b&gt;</a> token</li>',
        '<li><a href="/w/acme/alerts?shop">second</a> token</li>',
    ]
    assert told == [{"system": "shop", "by": caller}]


def test_a_slot_that_nobody_fills_is_empty(request_of: Request, caller: Caller) -> None:
    assert parts(request_of, caller, "today.waiting") == []


def test_a_room_that_fails_says_so_and_the_rest_stands(
    room: Frame, request_of: Request, caller: Caller, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> Part:
        raise RuntimeError("the store is away")

    room.fill("today.waiting", broken)
    room.fill("today.waiting", lambda *_: Part("signals/_line.html", {}))  # its template lacks a word
    room.fill("today.waiting", lambda *_: line("still here"))
    failed, unshown, well = parts(request_of, caller, "today.waiting", "li")
    assert "could not be read" in failed and "the store is away" not in failed
    assert failed.startswith("<li") and failed == unshown
    assert "still here" in well
    assert "today.waiting" in caplog.text


def test_a_slot_may_hold_data(room: Frame, request_of: Request, caller: Caller) -> None:
    room.fill("system.marks", lambda *_: [1, 2])
    room.fill("system.marks", lambda *_: 1 / 0)
    assert gathered(request_of, caller, "system.marks") == [[1, 2], FAILED]
