"""Runs of suites in a browser: begun from the form, watched, read, opened, compared; with a real gateway and vendor."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect
from tests.browser.test_alerts import seen
from tests.evals.runs.desk import Desk
from tests.evals.runs.desk import desk as made_desk

from browser.helpdesk import Helpdesk, cases, right, wrong
from browser.newcomer import admins_browser, sign_in

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(1200)]
BARS = {"least": 0.8, "by": ["topic"], "repeats": 2}


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    with made_desk(tmp_path_factory.mktemp("runs"), Helpdesk(), "demo") as made:
        yield made


@pytest.fixture(scope="module")
def browser(chromium: Browser, desk: Desk) -> Iterator[BrowserContext]:
    """An admin's browser."""
    with admins_browser(chromium, desk.core) as context:
        yield context


@pytest.fixture
def page(browser: BrowserContext) -> Iterator[Page]:
    """A page without a fault on its console."""
    made = browser.new_page()
    faults: list[str] = []
    made.on("pageerror", lambda error: faults.append(str(error)))
    made.on("console", lambda said: faults.append(said.text) if said.type == "error" else None)
    made.on("dialog", lambda dialog: dialog.accept())
    yield made
    assert [one for one in faults if "422" not in one] == []
    made.close()


@pytest.fixture(scope="module")
def before(desk: Desk) -> dict[str, Any]:
    """A run of what is mostly right."""
    desk.suite("returns", cases(36), bars=BARS)
    return desk.ran("returns")


@pytest.fixture(scope="module")
def after(desk: Desk, before: dict[str, Any]) -> dict[str, Any]:
    """A run of the release that got worse, held against the other."""
    found = desk.ran("returns", release="late", baseline=before["id"])
    assert found["verdict"]["outcome"] == "fail"
    return found


def test_nothing_yet(page: Page, axe: str, desk: Desk) -> None:
    page.goto("/w/demo/runs")
    expect(page.get_by_text("No suite yet")).to_be_visible()
    seen(page, axe, "runs-empty")


def test_a_run_is_begun_from_the_form_and_watched_to_its_end(
    page: Page, axe: str, desk: Desk, before: dict[str, Any]
) -> None:
    page.goto("/w/demo/runs")
    page.keyboard.press("n")
    expect(page.get_by_text("36 cases × 2 = 72 questions")).to_be_visible()
    page.get_by_label("Answers to each case").fill("3")
    expect(page.get_by_text("36 cases × 3 = 108 questions")).to_be_visible()
    page.get_by_label("Answers to each case").fill("1")
    expect(page.get_by_text("36 cases × 1 = 36 questions")).to_be_visible()
    page.get_by_label("Margin below the baseline").fill("5 %")
    page.get_by_label("Asked of").select_option("late")
    page.get_by_label("Held against").select_option(before["id"])
    page.get_by_label("Ask everything anew").check()
    page.get_by_role("button", name="Begin the run").click()
    expect(page.locator(".field", has_text="Margin below").locator(".error")).to_contain_text("a number")
    expect(page.get_by_label("Held against")).to_have_value(before["id"])
    seen(page, axe, "runs-new")
    page.get_by_label("Margin below the baseline").fill("0.1")
    page.get_by_label("Questions at once").fill("1")
    desk.vendor.tell("late", "slow 200")
    page.get_by_role("button", name="Begin the run").click()
    page.wait_for_url("**/w/demo/runs/run_*")
    state = page.get_by_role("region", name="State of the run")
    expect(state.get_by_text("running")).to_be_visible(timeout=30_000)
    expect(state.get_by_text("left")).to_be_visible(timeout=30_000)
    expect(page.get_by_role("region", name="Verdict")).to_have_count(0)
    seen(page, axe, "runs-live")
    desk.vendor.tell("late", "well")
    expect(state.get_by_text("FAIL")).to_be_visible(timeout=60_000)  # without a reload
    verdict = page.get_by_role("region", name="Verdict", exact=True)
    expect(verdict).to_contain_text("that is a fall and not chance")
    expect(verdict).to_contain_text("delivery-01")
    page.get_by_role("heading", name="As registered").click()
    expect(page.get_by_text("36 cases × 1 = 36")).to_be_visible()
    expect(page.get_by_text("asked anew")).to_be_visible()


def test_a_run_is_cancelled_and_has_no_verdict(page: Page, desk: Desk, before: dict[str, Any]) -> None:
    desk.vendor.tell("late", "slow 200")
    made = desk.make("returns", release="late", reuse=False, concurrency=1)
    page.goto(f"/w/demo/runs/{made['id']}")
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_text("This run was cancelled.")).to_be_visible()
    expect(page.get_by_role("region", name="Verdict", exact=True)).to_have_count(0)
    desk.vendor.tell("late", "well")
    page.goto("/w/demo/runs")
    expect(page.get_by_role("row", name="cancelled").first).to_be_visible()


def test_failures_stand_first_and_open_beside_the_baseline(
    page: Page, axe: str, before: dict[str, Any], after: dict[str, Any]
) -> None:
    page.goto(f"/w/demo/runs/{after['id']}")
    parts = page.get_by_role("region", name="Parts of the verdict")
    expect(parts.get_by_role("row", name="Whole suite")).to_contain_text("0.556")
    expect(parts.get_by_role("row", name="Topic delivery")).to_contain_text("3 worse, 0 better")
    expect(parts.get_by_role("row", name="Critical cases")).to_contain_text("delivery-01")
    first = page.locator("details.case").first
    expect(first).to_contain_text("delivery-01")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    was = first.get_by_role("region", name="Before: route r").first
    now = first.get_by_role("region", name="Now: late").first
    expect(was).to_contain_text(right(1))
    expect(was.locator("del").first).to_be_visible()
    expect(now).to_contain_text(wrong(1).partition("\n")[0])
    expect(now).to_contain_text("'31 days' is missing")
    expect(now.locator("ins", has_text="24")).to_be_visible()
    expect(first.get_by_role("region", name="Expected")).to_contain_text("31 days")
    seen(page, axe, "runs-run")
    now.get_by_role("link", name="trace").click()
    page.wait_for_url("**/w/demo/traces/*")
    page.go_back()
    page.get_by_role("link", name="Failed").click()
    expect(page.locator("details.case")).to_have_count(16)
    page.locator("details.menu summary", has_text="Topic").click()
    page.locator("details.menu[open]").get_by_role("link", name="delivery").click()
    expect(page.locator("details.case")).to_have_count(4)
    page.get_by_role("navigation", name="Cases by how they stand").get_by_role("link", name="All").click()
    expect(page.locator("details.case")).to_have_count(9)
    page.goto(f"/w/demo/runs/{after['id']}?change=same&standing=failed")
    expect(page.locator("details.case")).to_have_count(4)
    page.locator("details.menu summary", has_text="Report").click()
    with page.expect_download() as told:
        page.get_by_role("link", name="JUnit").click()
    assert 'failures="17"' in told.value.path().read_text()


def test_a_verdict_that_stands_open_says_what_would_settle_it(page: Page, axe: str, desk: Desk) -> None:
    desk.suite("few", cases(8), bars={"least": 0.9})
    found = desk.ran("few")
    page.goto(f"/w/demo/runs/{found['id']}")
    expect(page.get_by_text("What would settle it")).to_be_visible()
    expect(page.get_by_role("link", name="add them to the suite")).to_be_visible()
    seen(page, axe, "runs-open")


def test_unknown_is_never_green(page: Page, desk: Desk, before: dict[str, Any]) -> None:
    desk.suite("away", cases(3), bars={"least": 0.5})
    desk.vendor.tell("late", "500")
    found = desk.ran("away", release="late", reuse=False)
    desk.vendor.tell("late", "well")
    page.goto(f"/w/demo/runs/{found['id']}")
    expect(page.locator(".outcome.success")).to_have_count(0)
    expect(page.locator("details.case .outcome", has_text="unknown")).to_have_count(3)
    expect(page.get_by_role("row", name="Whole suite")).to_contain_text("unknown")


def test_two_runs_are_compared(page: Page, axe: str, before: dict[str, Any], after: dict[str, Any]) -> None:
    page.goto(f"/w/demo/runs/{before['id']}")
    page.locator("details.menu summary", has_text="Compare").click()
    page.locator(f'details.menu a[href$="/against/{after["id"]}"]').click()
    page.wait_for_url("**/against/**")
    expect(page.get_by_role("region", name="Verdict", exact=True)).to_contain_text("0.333 higher")
    page.get_by_role("link", name="Swap").click()
    expect(page.get_by_role("region", name="Verdict", exact=True)).to_contain_text("0.333 lower")
    changed = page.get_by_role("region", name="How answers changed")
    expect(changed.get_by_role("row", name="closing phrase")).to_contain_text("of the answers")
    expect(changed.get_by_role("row", name="closing phrase")).to_contain_text("changed")
    page.get_by_role("link", name="Worse").click()
    expect(page.locator("details.case")).to_have_count(12)
    page.locator("details.case summary").first.click()
    expect(page.get_by_role("region", name="Before: route r").first).to_be_visible()
    seen(page, axe, "runs-against")
    missing = page.request.get(f"/w/demo/runs/{before['id']}/against/run_none")
    assert missing.status == 404


def test_a_suite_s_scores_over_time(page: Page, axe: str, after: dict[str, Any]) -> None:
    page.goto("/w/demo/runs")
    page.locator("details.menu summary", has_text="Suite").click()
    page.locator("details.menu[open]").get_by_role("link", name="returns").click()
    plot = page.get_by_role("group", name="Score of each run")
    expect(plot.get_by_role("link", name="INCONCLUSIVE: 0.889")).to_have_count(1)
    point = plot.locator(f'a[href$="{after["id"]}"]')
    expect(point).to_have_attribute("aria-label", re.compile(r"FAIL: 0\.556 .* late, version 1"))
    expect(plot.locator("text.mark-words", has_text="late").first).to_be_visible()
    seen(page, axe, "runs-suite")
    point.click()
    page.wait_for_url(f"**/runs/{after['id']}")


def test_what_a_holdout_holds_only_admins_see(
    page: Page, axe: str, chromium: Browser, desk: Desk, after: dict[str, Any]
) -> None:
    address = f"/w/demo/runs/{after['id']}?case=returns-04"
    page.goto(address)
    expect(page.locator("details.case[open]")).to_contain_text("34 days")
    page.goto("/w/demo/settings/members")
    page.get_by_label("E-mail").fill("reader@acme.test")
    page.get_by_label("Role").select_option("viewer")
    page.locator("main form button").last.click()
    link = page.locator("[role=status] .code pre").first.inner_text()
    context = chromium.new_context(base_url=page.url.partition("/w/")[0], bypass_csp=True)
    reader = context.new_page()
    sign_in(reader, link)
    reader.wait_for_url("**/w/demo/**")
    reader.goto(address)
    case = reader.locator("details.case[open]")
    expect(case).to_contain_text("A holdout case.")
    expect(case).to_contain_text("Kept back.")
    assert "34 days" not in reader.content()
    assert "Returns question 4" not in reader.content()
    expect(reader.get_by_role("link", name="Run again")).to_have_count(0)
    assert reader.goto("/w/demo/new-run").status == 403  # type: ignore[union-attr]
    context.close()
