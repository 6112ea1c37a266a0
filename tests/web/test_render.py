"""The environment: strict, escaping; and every template of the product compiles and keeps the policy."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from jinja2 import UndefinedError

from holdfast.web.assets import Assets
from holdfast.web.render import Renderer

SOURCE = Path(__file__).parents[2] / "src/holdfast"
TEMPLATES = sorted(SOURCE.rglob("templates/*.html")) + sorted((SOURCE / "web/components").glob("*.html"))


@pytest.fixture
def renderer(tmp_path: Path) -> Renderer:
    (tmp_path / "one.html").write_text("<b>{{ name }}</b>")
    return Renderer({"room": tmp_path, "telemetry": SOURCE / "telemetry/templates"}, Assets())


def test_a_room_finds_its_templates_by_its_name_and_text_is_escaped(renderer: Renderer) -> None:
    assert renderer.render("room/one.html", name="<i>") == "<b>&lt;i&gt;</b>"


def test_what_is_missing_is_an_error_not_a_blank(renderer: Renderer) -> None:
    with pytest.raises(UndefinedError):
        renderer.render("room/one.html")


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_templates_compile_and_keep_the_policy(renderer: Renderer, path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    renderer.environment.parse(text)
    assert not re.search(r"\sstyle=|\son[a-z]+=|<style|javascript:|\|\s*safe", text), (
        "inline style, script or unescaped text"
    )
    for script in re.findall(r"<script([^>]*)>", text):
        assert "src=" in script or "application/json" in script


def test_every_icon_that_is_named_is_drawn() -> None:
    drawn = set(re.findall(r'id="i-([a-z]+)"', (SOURCE / "web/templates/_sprite.html").read_text()))
    named = {name for path in TEMPLATES for name in re.findall(r'icon\("([a-z]+)"', path.read_text())}
    assert named and named <= drawn


def test_stylesheets_and_scripts_name_only_colours_of_the_tokens() -> None:
    for sheet in ("layout.css", "explore.css"):
        assert not re.search(r"#[0-9a-fA-F]{3,8}\b", (SOURCE / "web/static" / sheet).read_text())
