"""Static files: addresses change with content, and only the right address is kept for ever."""

from __future__ import annotations

from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.testclient import TestClient

from holdfast.web.assets import Assets


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "static/vendor").mkdir(parents=True)
    (tmp_path / "static/one.css").write_text("a{}")
    (tmp_path / "static/vendor/two.js").write_text("2")
    (tmp_path / "secret.txt").write_text("secret")
    return tmp_path / "static"


def test_the_address_changes_with_the_content(folder: Path) -> None:
    before = Assets(folder).url("one.css")
    assert before == Assets(folder).url("one.css")
    (folder / "vendor/two.js").write_text("3")
    assert Assets(folder).url("one.css") != before


def test_todays_address_is_kept_and_an_old_one_is_not(folder: Path) -> None:
    assets = Assets(folder)
    client = TestClient(Starlette(routes=[Mount(assets.mount, assets)]))
    now = client.get(assets.url("vendor/two.js"))
    assert now.text == "2" and "immutable" in now.headers["cache-control"]
    old = client.get("/static/0000000000000000/one.css")
    assert old.text == "a{}" and old.headers["cache-control"] == "no-cache"


@pytest.mark.parametrize("path", ["missing.css", "", "../secret.txt", "..%2fsecret.txt", "%2e%2e/secret.txt"])
def test_nothing_else_is_served(folder: Path, path: str) -> None:
    assets = Assets(folder)
    client = TestClient(Starlette(routes=[Mount(assets.mount, assets)]))
    answer = client.get(f"{assets.mount}/{assets.digest}/{path}")
    assert answer.status_code == 404 and "secret" not in answer.text
