"""Metrics, dashboards and cost by hand in a browser, on a real core over two days of generated history."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from demo.history.generate import spans
from playwright.sync_api import Browser, BrowserContext, Page, expect
from tests.browser.test_accessibility import violations

from browser.newcomer import newcomer
from running_core import CoreProcess, Workspace

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(1200)]

SHOTS = Path(__file__).parents[2] / "screenshots"
PAGES = {
    "metrics": "metrics?range=7d&measure=calls&measure=cost&measure=latency_p95&group_by=route",
    "metrics-by-step": "metrics?range=7d&measure=finish_reasons&group_by=route&group_by=model&step=day&view=steps",
    "metrics-of-agents": "metrics?range=7d&measure=tool_calls&measure=agent_steps_per_run&measure=retrieval_top_score"
    "&measure=retrieval_staleness&group_by=system",
    "metrics-by-tool": "metrics?range=7d&measure=calls&measure=tool_calls&group_by=tool",
    "dashboard": "dashboards?range=7d",
    "dashboard-edited": "dashboards/overview?range=7d&edit=1",
    "cost": "cost?range=7d&by=tenant",
    "cost-by-user": "cost?range=24h&by=user",
}


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    core = CoreProcess(tmp_path_factory.mktemp("figures") / "data").start()
    workspace = core.workspace("demo", "ingest,read,operate")
    for request in spans(days=2):
        assert workspace.post(request.SerializeToString()).status_code == 200
    assert workspace.count()[0] > 1000
    yield workspace
    core.stop()


@pytest.fixture(scope="module")
def browser(chromium: Browser, told: Workspace) -> Iterator[BrowserContext]:
    """An admin's browser."""
    context, page = newcomer(chromium, told.core, bypass_csp=True)
    page.wait_for_url("**/w/demo/*")
    page.close()
    yield context
    context.close()


@pytest.fixture
def page(browser: BrowserContext) -> Iterator[Page]:
    """A page that says nothing on its console."""
    made = browser.new_page()
    faults: list[str] = []
    made.on("pageerror", lambda error: faults.append(str(error)))
    made.on("console", lambda said: faults.append(said.text) if said.type == "error" else None)
    made.on("dialog", lambda dialog: dialog.accept())
    yield made
    assert faults == []
    made.close()


def go(page: Page, path: str) -> None:
    page.goto(f"/w/demo/{path}")
    page.wait_for_load_state("networkidle")
    expect(page.locator(".skeleton")).to_have_count(0, timeout=30_000)


@pytest.mark.rotating(3)
@pytest.mark.parametrize("name", PAGES)
def test_pages_are_accessible_and_never_scroll_sideways(page: Page, axe: str, name: str) -> None:
    SHOTS.mkdir(exist_ok=True)
    go(page, PAGES[name])
    page.evaluate(axe)
    for panel in page.locator(".board-panel").all():
        box = panel.bounding_box()
        assert box is not None and box["width"] >= 380, "a panel has room for its chart"
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        page.screenshot(path=str(SHOTS / f"{name}-{scheme}.png"))
        assert violations(page) == [], f"{name} in {scheme}"
    for menu in page.locator("details.menu").all():
        menu.evaluate("menu => { menu.open = true }")
        assert violations(page) == [], f"an open menu of {name}"
        menu.evaluate("menu => { menu.open = false }")
    for width in (320, 400, 1440):
        page.set_viewport_size({"width": width, "height": 844})
        assert page.evaluate("document.documentElement.scrollWidth") <= width, f"{name} at {width} px"
        if width == 400:
            page.screenshot(path=str(SHOTS / f"{name}-narrow.png"))


def test_a_chart_that_has_not_been_drawn_anew_yet_does_not_widen_the_page(
    page: Page, told: Workspace
) -> None:
    page.add_init_script("window.ResizeObserver = class { observe() {} disconnect() {} }")
    go(page, PAGES["cost"])
    wide = page.locator("ops-chart .uplot").first.bounding_box()
    page.set_viewport_size({"width": 320, "height": 844})
    assert wide is not None and wide["width"] > 400
    assert page.evaluate("document.documentElement.scrollWidth") <= 320


def test_measures_of_agents_and_tools(page: Page, told: Workspace) -> None:
    go(page, "metrics?range=7d&measure=tool_calls&measure=retrieval_empty_rate&group_by=tool")
    expect(page.locator("table.table")).to_contain_text("leave_balance")
    rows = told.get("metrics/query", measure=["tool_calls", "retrievals", "retrieval_staleness_known"])[
        "rows"
    ]
    assert rows[0]["values"]["tool_calls"] > 10 and rows[0]["values"]["retrievals"] > 10
    assert rows[0]["values"]["retrieval_staleness_known"] == 0, "nobody says when a policy was changed"
    go(page, PAGES["metrics-by-tool"])
    expect(page.get_by_text("'calls' is about calls, which have no dimension 'tool'")).to_be_visible()


def test_a_point_of_a_chart_leads_to_its_calls(page: Page, told: Workspace) -> None:
    go(page, "metrics?range=7d&measure=calls&system=hr-assistant&step=86400")
    canvas = page.locator("ops-chart .u-over").first
    box = canvas.bounding_box()
    assert box is not None
    canvas.click(position={"x": box["width"] * 0.9, "y": box["height"] / 2})
    page.wait_for_url("**/w/demo/calls?*")
    found = {name: re.search(rf"{name}=([^&]+)", page.url) for name in ("from", "to", "system")}
    assert all(found.values()), page.url
    start, end = (found[name][1].replace("%3A", ":") for name in ("from", "to"))  # type: ignore[index]
    rows = told.get("metrics/query", measure="calls", system="hr-assistant", **{"from": start, "to": end})[
        "rows"
    ]
    calls = f"{rows[0]['values']['calls']:,}" if rows else ""
    expect(page.locator("#summary .tile").first).to_contain_text(calls, timeout=30_000)


def test_dragging_over_a_chart_narrows_the_time(page: Page) -> None:
    go(page, "metrics?range=7d&measure=calls")
    box = page.locator("ops-chart .u-over").first.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] * 0.3, box["y"] + 40)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.7, box["y"] + 40, steps=5)
    page.mouse.up()
    page.wait_for_url("**/w/demo/metrics?*from=*")
    assert "measure=calls" in page.url and "range=" not in page.url


def test_a_question_becomes_a_panel_that_moves_and_goes(page: Page) -> None:
    go(page, "metrics?range=7d")
    page.locator("summary", has_text="Measures").click()
    page.get_by_label("Find a measure").fill("refusal rate")
    expect(page.locator("#measures a:visible, #measures p:visible")).to_have_count(1)
    page.keyboard.press("Escape")
    page.locator("a.chip.measure", has_text="Cost").click()
    page.wait_for_load_state("networkidle")
    page.locator("summary", has_text="Measures").click()
    page.locator("#measures a", has_text="Refusal rate").click()
    page.wait_for_url("**measure=refusal_rate*")
    page.locator("summary", has_text=re.compile("^By")).click()
    page.locator(".menu-body a", has_text=re.compile("^Tenant$")).first.click()
    page.wait_for_url("**group_by=tenant*")
    page.locator("summary", has_text="Add to dashboard").click()
    page.get_by_label("Title of the panel").fill("Refusals by tenant")
    page.get_by_label("Dashboard", exact=True).select_option("")
    page.get_by_label("Name of the new one").fill("My desk")
    page.get_by_role("button", name="Add the panel").click()
    page.wait_for_url("**/dashboards/my-desk")
    expect(page.get_by_role("heading", name="Refusals by tenant")).to_be_visible()
    page.goto("/w/demo/dashboards/my-desk?edit=1&range=7d")
    page.get_by_label("Title of Refusals by tenant").fill("Refusals")
    page.locator(".board-edit").get_by_role("button", name="Rename").click()
    expect(page.get_by_role("heading", name="Refusals", exact=True)).to_be_visible()
    page.get_by_role("button", name="Take Refusals away").click()
    expect(page.get_by_text("No panels yet")).to_be_visible()
    page.get_by_role("button", name="Delete this dashboard").click()
    page.wait_for_url("**/w/demo/dashboards")
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()


def test_cost_narrows_by_a_row_and_by_keyboard(page: Page) -> None:
    go(page, "cost?range=7d&by=tenant")
    first = page.locator("tbody tr[data-row]").first
    dearest = first.locator(".row-link").inner_text()
    first.hover()
    first.get_by_role("link", name=f"Only {dearest}").click()
    page.wait_for_load_state("networkidle")
    expect(page.locator("tbody tr[data-row]")).to_have_count(1)
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.wait_for_url("**/w/demo/calls?*")
    assert f"tenant={dearest}" in page.url and "sort=-cost_amount" in page.url


def test_without_scripts_every_figure_can_be_read(
    chromium: Browser, browser: BrowserContext, told: Workspace
) -> None:
    base = f"http://127.0.0.1:{told.core.port}"
    context = chromium.new_context(
        base_url=base, storage_state=browser.storage_state(), java_script_enabled=False
    )
    page = context.new_page()
    page.goto("/w/demo/metrics?range=7d&measure=calls&group_by=tenant&view=steps&filters=1")
    expect(page.locator("tbody tr").first).to_be_visible()
    expect(page.locator(".facet-list a").first).to_be_visible()
    page.goto("/w/demo/cost?range=7d&by=model")
    page.get_by_role("link", name="Per session, and what is unpriced").click()
    expect(page.get_by_text("Unpriced, and why")).to_be_visible()
    context.close()
