"""Judges in a browser: how good one is, a check begun there, answers graded blind, figures corrected by that."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect
from tests.browser.test_alerts import seen
from tests.evals.judges.referee import Referee, apply, asking, judge, number, pairs
from tests.evals.runs.desk import Desk
from tests.evals.runs.desk import desk as made_desk

from browser.newcomer import admins_browser

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(1200)]


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    with made_desk(tmp_path_factory.mktemp("judges"), Referee(), "demo") as made:
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
    assert faults == []
    made.close()


def test_a_judge_is_checked_and_shows_how_good_it_is(page: Page, axe: str, desk: Desk) -> None:
    page.goto("/w/demo/judges")
    expect(page.get_by_text("No judge yet")).to_be_visible()
    seen(page, axe, "judges-empty")
    pairwise = judge("better", kind="pairwise", labels=pairs())
    apply(desk, "kept", judge(description="Whether an answer is right"), pairwise)
    page.goto("/w/demo/judges")
    expect(page.get_by_text("never checked")).to_have_count(2)
    for name in ("better", "truth"):
        page.get_by_role("link", name="Judges", exact=True).first.click()
        page.get_by_role("link", name=name).click()
        expect(page.get_by_text("nobody knows how often it is wrong")).to_be_visible()
        page.get_by_role("button", name="Check it now").click()
        for _ in range(60):
            if page.get_by_role("button", name="Check it now").count():
                break
            page.wait_for_timeout(250)
            page.reload()
    table = page.get_by_role("region", name="What the check shows")
    expect(table.get_by_role("row", name="Agreement κ")).to_be_visible()
    expect(page.get_by_text("6 of 8")).to_be_visible()
    seen(page, axe, "judge-checked")
    page.goto("/w/demo/judges/better")
    expect(page.get_by_role("row", name="Same in both orders")).to_contain_text("1.000")
    page.goto("/w/demo/judges")
    expect(page.get_by_role("row", name="truth")).to_contain_text("91.7")
    seen(page, axe, "judges")


def test_answers_are_graded_blind_and_correct_the_run(page: Page, axe: str, desk: Desk) -> None:
    apply(desk, "tone", judge("tone"), cases=asking(30, judge="tone"), bars={"least": 0.3})
    found = desk.ran("tone")
    page.goto(f"/w/demo/runs/{found['id']}")
    expect(page.get_by_text("uncorrected judge, not to be trusted").first).to_be_visible()
    seen(page, axe, "run-uncorrected")
    page.get_by_role("link", name="Grade answers").click()
    expect(page.get_by_text("30 left")).to_be_visible()
    expect(page.get_by_text("as it reads")).to_have_count(0)
    seen(page, axe, "grade")
    for left in range(30, 10, -1):
        expect(page.get_by_text(f"{left} left")).to_be_visible()
        said = page.get_by_role("region", name="Answer", exact=True).inner_text()
        which = number(said.split("\n", 1)[1])
        page.get_by_role("button", name="Fail" if which % 3 == 2 else "Pass").click()
    page.goto(f"/w/demo/runs/{found['id']}")
    expect(page.get_by_text("corrected by 20 human labels").first).to_be_visible()
    parts = page.get_by_role("region", name="Parts of the verdict")
    expect(parts).to_contain_text("the judge alone, uncorrected: 0.733")
    seen(page, axe, "run-corrected")
    page.goto("/w/demo/runs")
    expect(page.get_by_role("row", name="tone")).to_contain_text("uncorrected: 0.733")
    again = desk.ran("tone", baseline=found["id"])
    page.goto(f"/w/demo/runs/{again['id']}")
    expect(parts).to_contain_text("not to be trusted yet")
    expect(page.get_by_text("label 5 more answers of the candidate").first).to_be_visible()
    seen(page, axe, "run-uncorrected-difference")
