"""Coverage of a suite in a browser: mapped from the page, read on the map and in the table, a case made of a question."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect
from tests.browser.test_alerts import seen
from tests.evals.coverage.production import CALLS, apply, ask_all, context, ran

from browser.newcomer import admins_browser, sign_in
from holdfast.platform.audit import store as audit_store
from holdfast.storage.sql import Database
from running_core import CoreProcess, Workspace, until

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(1200)]
ADDRESS = "/w/demo/suites/shop/coverage"


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """A workspace with calls and a suite."""
    core = CoreProcess(tmp_path_factory.mktemp("coverage") / "data", min_free_bytes=1).start()
    workspace = core.workspace("demo", "ingest,read,content,operate,admin")
    apply(workspace)
    ask_all(workspace)
    assert workspace.count()[0] > sum(CALLS.values())
    yield workspace
    core.stop()


@pytest.fixture(scope="module")
def browser(chromium: Browser, shop: Workspace) -> Iterator[BrowserContext]:
    """An admin's browser, who may read content."""
    with admins_browser(chromium, shop.core) as context:
        yield context


@pytest.fixture
def page(browser: BrowserContext) -> Iterator[Page]:
    """A page without a fault on its console."""
    made = browser.new_page()
    faults: list[str] = []
    made.on("pageerror", lambda error: faults.append(str(error)))
    made.on("console", lambda said: faults.append(said.text) if said.type == "error" else None)
    yield made
    assert [one for one in faults if "422" not in one] == []
    made.close()


def test_a_suite_is_mapped_from_the_page(page: Page, axe: str, shop: Workspace) -> None:
    page.goto("/w/demo/suites/shop")
    page.get_by_role("link", name="Coverage").click()
    expect(page.get_by_text("Not mapped yet")).to_be_visible()
    seen(page, axe, "coverage-empty")
    page.get_by_role("button", name="Map it now").click()
    until(lambda: shop.get("evals/suites/shop/coverage")["last"] is not None, 120, "the end of the map")
    page.goto(ADDRESS)
    table = page.get_by_role("region", name="Groups of questions")
    first = table.get_by_role("row").nth(1)
    expect(first).to_contain_text("warranty")
    expect(first).to_contain_text("not covered")
    expect(table.get_by_role("row", name="refund")).to_contain_text("refund-one")
    found = page.get_by_role("region", name="What it found")
    expect(found).to_contain_text("no score is known")
    expect(page.get_by_text("1 case belongs to no group")).to_be_visible()
    ran(shop, {"refund-one": 0, "refund-two": 0, "parcel-one": 1, "password-kept": 1, "poem": 1})
    page.reload()
    expect(found).to_contain_text("Plain score of the cases")
    expect(found).to_contain_text("0.600")
    seen(page, axe, "coverage")


def test_a_mark_leads_to_its_row_and_its_question_becomes_a_case(
    page: Page, axe: str, shop: Workspace
) -> None:
    page.goto(ADDRESS)
    plot = page.get_by_role("group", name="Map of groups of questions")
    marks = plot.get_by_role("link")
    assert marks.count() == 4
    expect(plot.get_by_role("link", name="not covered").locator("rect")).to_have_count(1)
    expect(plot.locator("circle")).to_have_count(3)
    plot.get_by_role("link", name="not covered").focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**group=*")
    asked = page.locator(".coverage-asked li")
    expect(asked.first).to_contain_text("warranty")
    expect(asked.first).to_contain_text("most typical")
    seen(page, axe, "coverage-open")
    right = page.get_by_label("What a right answer to the most typical one says")
    right.fill("   ")
    page.get_by_role("button", name="Make a case").click()
    expect(page.get_by_role("alert")).to_contain_text("say what a right answer is")
    right.fill("The warranty lasts two years.")
    page.get_by_role("button", name="Make a case").click()
    expect(page.get_by_text("It is a case now.")).to_be_visible()
    expect(page.get_by_text("This map is of version 1.")).to_be_visible()
    cases = shop.get("evals/suites/shop")["listed"]
    made = next(one for one in cases if one["id"].startswith("production-"))
    assert "warranty" in str(made)
    assert "The warranty lasts two years." in str(made)
    with Database(shop.core.settings.sql).transaction() as tx:
        entries = audit_store.entries_from(tx, context(tx, shop).workspace, 1, 1000)
    assert any(one.action == "content.opened" for one in entries), "that content was opened is recorded"


def test_without_the_permission_no_word_is_shown(page: Page, chromium: Browser, shop: Workspace) -> None:
    page.goto("/w/demo/settings/members")
    page.get_by_label("E-mail").fill("reader@acme.test")
    page.get_by_label("Role").select_option("viewer")
    page.locator("main form button").last.click()
    link = page.locator("[role=status] .code pre").first.inner_text()
    context = chromium.new_context(base_url=page.url.partition("/w/")[0], bypass_csp=True)
    reader = context.new_page()
    sign_in(reader, link)
    reader.wait_for_url("**/w/demo/**")
    reader.goto(f"{ADDRESS}?group=0")
    expect(reader.get_by_text("with the permission to read content")).to_be_visible()
    expect(reader.get_by_role("region", name="Groups of questions")).to_contain_text("group 1")
    for word in ("warranty", "refund?", "password-kept"):
        assert word not in reader.content()
    expect(reader.get_by_role("button", name="Map it anew")).to_have_count(0)
    context.close()
