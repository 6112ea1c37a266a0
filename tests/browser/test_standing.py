"""Today, the portfolio and the system page, by hand in a browser: what an engineer on call does at three in the morning.

Each task is timed from the first click to the answer on the screen; a picture of every page is kept under screenshots/.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from playwright.sync_api import Browser, Page, expect

from browser.newcomer import newcomer
from browser.standing_made import BARE, FAILING, PER_HOUR, SILENT, SILENT_SINCE, SLOW, WELL, bodies
from browser.test_tasks import SHOTS, Desk
from otlp_made import CHAT, body, span
from running_core import CoreProcess, Workspace

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(1200)]

PAGES = (
    "today",
    "portfolio?range=7d",
    f"systems/{FAILING}",
    f"systems/{SILENT}?range=1h",
    f"systems/{BARE}?tab=instrumentation",
)


@pytest.fixture(scope="module")
def began() -> datetime:
    return datetime.now(UTC)


@pytest.fixture(scope="module")
def core(tmp_path_factory: pytest.TempPathFactory, began: datetime) -> Iterator[Workspace]:
    """A core with eight days of calls in the workspace `demo`, and nothing in `empty`."""
    core = CoreProcess(tmp_path_factory.mktemp("standing") / "data").start()
    workspace = core.workspace("demo")
    for one in bodies(began):
        assert workspace.post(one).status_code == 200
    assert workspace.count()[0] > 4000
    yield workspace
    core.stop()


@pytest.fixture(scope="module")
def desk(chromium: Browser, core: Workspace) -> Iterator[Desk]:
    """Somebody who has just signed in, and stands on Today."""
    context, page = newcomer(chromium, core.core)
    page.wait_for_url("**/w/demo/today*")
    yield Desk(page, core)
    context.close()


def findings(page: Page) -> list[str]:
    return page.locator(".finding").all_inner_texts()


def _whole_hours(since: datetime, now: datetime) -> int:
    """Hours of the clock that began after an instant and are over."""
    return int(now.timestamp()) // 3600 - int(since.timestamp()) // 3600 - 1


def test_whoever_signs_in_stands_on_today_and_sees_what_is_off(desk: Desk, began: datetime) -> None:
    silent = {_whole_hours(began - SILENT_SINCE, datetime.now(UTC))}
    with desk.task("what-is-off"):
        desk.go("today")
        found = findings(desk.page)
    silent.add(_whole_hours(began - SILENT_SINCE, datetime.now(UTC)))
    assert len(found) == 3
    assert f"{SILENT} silent since 20" in found[0]  # the silent one stands first
    told = [f"In the last {hours} h it would usually have made {PER_HOUR * hours} calls" for hours in silent]
    assert any(one in found[0] for one in told)
    rest = " ".join(found[1:])
    assert f"{FAILING} error rate" in rest and f"{SLOW} latency p95 2.8" in rest
    assert WELL not in " ".join(found)
    expect(desk.page.get_by_text(f"Not known of {BARE}")).to_be_visible()
    rows = desk.page.locator("tbody tr")
    expect(rows).to_have_count(5)
    expect(rows.first).to_contain_text(SILENT)
    expect(rows.filter(has_text=FAILING).locator("td.warning")).to_have_count(1)


def test_figures_are_those_of_the_api(desk: Desk) -> None:
    desk.go("today")
    since = desk.page.locator(".page-head time").get_attribute("datetime")
    rows = desk.workspace.get(
        "metrics/query", **{"measure": ["calls", "unpriced"], "group_by": "system", "from": since}
    )["rows"]
    shown = {
        row.locator("td").first.inner_text().split("\n")[0]: row.locator("td").nth(2).inner_text()
        for row in desk.page.locator("tbody tr").all()
    }
    assert {row["group"]["system"]: row["values"]["calls"] for row in rows} == {
        name: int(text.split("\n")[0]) for name, text in shown.items()
    }
    unpriced = sum(row["values"]["unpriced"] for row in rows)
    expect(desk.page.locator(".sums > div").first.locator("dd")).to_contain_text(str(unpriced))


def test_find_the_calls_that_fail(desk: Desk) -> None:
    desk.go("today")
    with desk.task("which-calls-fail"):
        desk.page.locator(".finding", has_text=FAILING).get_by_role("link").click()
        desk.page.wait_for_url(f"**/systems/{FAILING}*")
        worst = desk.page.locator("table", has=desk.page.get_by_text("Routes of this system")).locator(
            "tbody tr", has_text="assess"
        )
        worst.locator("td").nth(2).get_by_role("link").click()
        desk.page.wait_for_url("**/calls?*")
        desk.settle()
        expect(desk.page.locator("#call-rows tr.failed").first).to_be_visible()
    assert "status=error" in desk.page.url and "route=assess" in desk.page.url


def test_the_calls_of_one_step_of_the_chart(desk: Desk) -> None:
    desk.go(f"systems/{FAILING}")
    with desk.task("calls-of-a-step"):
        column = desk.page.locator(".board-plot a[href*='/calls?']").nth(30)
        said = re.search(r": ([\d,]+) calls", column.get_attribute("aria-label") or "")
        column.locator(".hit").click()
        desk.page.wait_for_url("**/calls?*")
        desk.settle()
    assert said is not None and int(said.group(1)) > 0
    expect(desk.page.locator("#call-rows tr")).to_have_count(int(said.group(1)))


def test_name_an_owner(desk: Desk) -> None:
    desk.go("portfolio")
    with desk.task("name-an-owner"):
        desk.page.locator("tbody tr", has_text=SLOW).get_by_role("link", name="name an owner").click()
        expect(desk.page.get_by_label("Name in telemetry", exact=True)).to_have_value(SLOW)
        for label, text in (
            ("Name", "Search helper"),
            ("Owner", "Olivia Example"),
            ("Sponsor", "Sam Example"),
            ("Escalation contact", "oncall@example.com"),
            ("Purpose", "Finds policies"),
        ):
            desk.page.get_by_label(label, exact=True).fill(text)
        desk.page.get_by_role("button", name="Add the system").click()
        desk.page.wait_for_url("**/settings/systems*")
    desk.go("portfolio")
    expect(desk.page.locator("tbody tr", has_text="Search helper")).to_contain_text("Olivia Example")
    desk.go(f"systems/{SLOW}")
    expect(desk.page.locator("main")).to_contain_text("Owner Olivia Example · Escalation oncall@example.com")


def test_sort_the_portfolio(desk: Desk) -> None:
    desk.go("portfolio?range=24h")
    with desk.task("the-slowest-system"):
        desk.page.get_by_role("columnheader", name="p95").get_by_role("link").click()
        desk.page.wait_for_url("**sort=-latency_p95*")
        expect(desk.page.locator("tbody tr").first).to_contain_text("Search helper")
    desk.page.get_by_role("columnheader", name="Cost", exact=True).get_by_role("link").click()
    desk.page.wait_for_url("**sort=-cost*")
    expect(desk.page.locator("tbody tr").last).to_contain_text(BARE)  # its cost is unknown, not the least
    expect(desk.page.locator("tbody tr", has_text=SILENT).locator("td").last).to_contain_text("h ago")
    expect(desk.page.locator("tbody tr", has_text=WELL).locator("td").last).to_contain_text("min ago")


def test_add_what_a_system_does_not_say(desk: Desk) -> None:
    desk.go(f"systems/{BARE}")
    with desk.task("what-is-missing"):
        desk.page.get_by_role("link", name="Instrumentation").click()
        desk.page.wait_for_url("**tab=instrumentation*")
        missing = desk.page.locator("details.check", has_text="missing")
        missing.filter(has_text="Route").locator("summary").click()
        expect(missing.get_by_text('span.set_attribute("holdfast.route", "triage")')).to_be_visible()
    expect(desk.page.locator(".check", has_text="Tokens")).to_contain_text("done")
    told = {**CHAT, "holdfast.route": "triage"}
    now = time.time_ns()
    calls = [span(attributes=told, start_ns=now - number * 10**9) for number in range(1, 41)]
    assert desk.workspace.post(body(calls, resource={"service.name": BARE})).status_code == 200
    desk.page.reload()
    expect(desk.page.locator("details.check", has_text="Route")).to_contain_text("50 % of 80 lack it")


def test_unknown_cost_leads_to_its_calls(desk: Desk) -> None:
    desk.go("today")
    with desk.task("calls-without-a-route"):
        desk.page.get_by_role("link", name="without a known cost").click()
        desk.page.wait_for_url("**/calls?*")
        desk.settle()
        expect(desk.page.locator("#call-rows tr").first).to_contain_text("house-model-7b")


def test_another_system_is_chosen_in_the_top_bar(desk: Desk) -> None:
    desk.go(f"systems/{FAILING}?range=7d")
    desk.page.locator(".top details.menu", has_text="System").first.click()
    desk.page.locator(".top .menu-body").get_by_role("link", name=WELL).click()
    desk.page.wait_for_url(f"**/systems/{WELL}?range=7d")
    expect(desk.page.locator("h1")).to_have_text(WELL)


def test_a_system_that_never_was_is_not_found(desk: Desk) -> None:
    answer = desk.page.request.get("/w/demo/systems/nobody-knows-it")
    assert answer.status == 404
    assert desk.page.request.get("/w/demo/portfolio?sort=colour").status == 422


def test_keys_lead_there_and_rows_open(desk: Desk) -> None:
    desk.go("calls?range=1h")
    desk.page.keyboard.press("g")
    desk.page.keyboard.press("t")
    desk.page.wait_for_url("**/w/demo/today*")
    desk.page.keyboard.press("j")
    desk.page.keyboard.press("Enter")
    desk.page.wait_for_url(f"**/systems/{SILENT}*")
    expect(desk.page.get_by_text("Nothing came from this system")).to_have_count(0)


def test_everything_can_be_read_without_scripts(chromium: Browser, desk: Desk) -> None:
    context = chromium.new_context(
        storage_state=desk.page.context.storage_state(),
        java_script_enabled=False,
        base_url=f"http://127.0.0.1:{desk.workspace.core.port}",
    )
    page = context.new_page()
    page.goto("/w/demo/today")
    assert len(findings(page)) == 3
    page.goto(f"/w/demo/systems/{FAILING}")
    expect(page.locator(".board-plot path.line.danger")).to_have_attribute("d", re.compile("M.*L"))
    expect(
        page.locator("table", has=page.get_by_text("Routes of this system")).locator("tbody tr")
    ).to_have_count(2)
    context.close()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_pages_are_accessible_and_fit(desk: Desk, axe: str, theme: str) -> None:
    context = desk.page.context.browser.new_context(  # type: ignore[union-attr]
        storage_state=desk.page.context.storage_state(),
        bypass_csp=True,
        color_scheme=theme,  # type: ignore[arg-type]
        viewport={"width": 1440, "height": 900},
        base_url=f"http://127.0.0.1:{desk.workspace.core.port}",
    )
    page = context.new_page()
    found: dict[str, list[str]] = {}
    for path in PAGES:
        page.goto(f"/w/demo/{path}")
        page.screenshot(path=str(SHOTS / f"standing-{theme}-{re.sub('[^a-z0-9]+', '-', path)}.png"))
        page.evaluate(axe)
        broken = page.evaluate(
            "axe.run({runOnly: ['wcag2a', 'wcag2aa']}).then(r => r.violations.map(v => v.id + ': ' + v.nodes[0].target))"
        )
        page.set_viewport_size({"width": 360, "height": 800})
        if page.evaluate("document.documentElement.scrollWidth") > 360:
            broken.append("scrolls sideways")
        page.set_viewport_size({"width": 1440, "height": 900})
        if broken:
            found[path] = broken
    context.close()
    assert found == {}


def test_a_workspace_without_calls_tells_the_next_step(desk: Desk) -> None:
    page = desk.page
    desk.go("today")
    token = json.loads(page.locator("body").get_attribute("hx-headers:inherited") or "")
    made = page.request.post("/api/v1/workspaces?workspace=demo", data={"slug": "empty"}, headers=token)
    assert made.status == 201, made.text()
    for path in ("today", "portfolio"):
        page.goto(f"/w/empty/{path}")
        expect(page.get_by_text("No calls yet")).to_be_visible()
        expect(page.get_by_text("OTEL_EXPORTER_OTLP_ENDPOINT=")).to_be_visible()
        page.screenshot(path=str(SHOTS / f"standing-empty-{path}.png"))
    assert desk.workspace.core.workspace("empty").post(body([span()])).status_code == 200
    page.goto("/w/empty/today")
    expect(page.locator("tbody tr")).to_have_count(1)
    expect(page.get_by_text("Not known of shop")).to_be_visible()
    expect(page.get_by_text("off its week")).to_have_count(0)  # no data is not green


def test_the_console_stayed_silent(desk: Desk) -> None:
    assert desk.faults == []
