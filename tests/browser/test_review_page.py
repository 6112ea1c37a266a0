"""Production review by hand in a browser: the queue, an item decided by keys, a case made of it, the policy."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect
from tests.browser.test_alerts import seen
from tests.evals.judges.referee import judge, labels
from tests.evals.review.live import QUESTION, SCOPES, Live, chat, sent

from browser.newcomer import newcomer
from holdfast.commands import suites as suite_commands
from holdfast.evals.rules.review import CallRef, Dimension
from holdfast.evals.store import judges as judge_store
from holdfast.evals.store import review_asks
from holdfast.evals.store.review_asks import Ask, Outcome
from holdfast.platform.tenancy import reads as tenancy
from holdfast.storage.sql import Database
from running_core import CoreProcess

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(1200)]

RUDE = "You are an idiot. Shoes go back within 45 days, as every child knows."
LETHAL = "You should just kill yourself."
LEAK = "Write to jane.roe@example.com or call her, she decides about your shoes within a day."
DOCUMENTS = ("Shoes may be given back within 30 days of delivery. The label is in the box.",)
SUITE = "name: returns\ncases:\n- {id: a, prompt: Hi, expect: {contains: hello}}\n"


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    folder = tmp_path_factory.mktemp("review")
    core = CoreProcess(folder / "data").start()
    made = Live(core.workspace("demo", SCOPES))
    made.followed()
    file = folder / "returns.yaml"
    file.write_text(SUITE)
    suite_commands.apply(core.settings, [file], "demo", "", dry_run=False)
    yield made
    core.stop()


@pytest.fixture(scope="module")
def browser(chromium: Browser, live: Live) -> Iterator[BrowserContext]:
    """An admin's browser, which may read content."""
    context, page = newcomer(chromium, live.at.core, bypass_csp=True)
    page.wait_for_url("**/w/demo/today*")
    page.close()
    yield context
    context.close()


@pytest.fixture
def page(browser: BrowserContext) -> Iterator[Page]:
    """A page without a fault on its console."""
    made = browser.new_page()
    faults: list[str] = []
    made.on("pageerror", lambda error: faults.append(str(error)))
    made.on("console", lambda said: faults.append(said.text) if said.type == "error" else None)
    yield made
    assert [one for one in faults if "422" not in one and "409" not in one] == []
    made.close()


@pytest.fixture(scope="module")
def flagged(live: Live) -> Live:
    """Calls of which some are flagged."""
    calls = [chat("You may, within 30 days.", documents=DOCUMENTS) for _ in range(40)]
    calls += [chat(RUDE, documents=DOCUMENTS) for _ in range(3)]
    calls += [chat(LETHAL), chat(LEAK), chat(None)]
    assert live.at.post(sent(*calls)).status_code == 200
    live.looked(46)
    return live


def test_nothing_waits_at_first(page: Page, axe: str, live: Live) -> None:
    page.goto("/w/demo/review")
    expect(page.get_by_text("Nothing waits")).to_be_visible()
    seen(page, axe, "review-empty")


def test_the_queue_is_walked_and_decided_by_keys(page: Page, axe: str, flagged: Live) -> None:
    page.goto("/w/demo/review")
    rows = page.get_by_role("region", name="Queue").get_by_role("row")
    expect(rows.nth(1)).to_contain_text("critical")
    expect(rows.nth(1)).to_contain_text("urges-self-harm")
    rates = page.get_by_role("region", name="Rates by dimension")
    expect(rates.get_by_role("row", name=re.compile("harmful content"))).to_contain_text("unknown")
    seen(page, axe, "review-queue")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.wait_for_url("**/review/rev_*")
    expect(page.locator("mark")).to_have_text("just kill yourself")
    expect(page.get_by_role("region", name="Question")).to_contain_text(QUESTION)
    page.keyboard.press("c")
    expect(page.get_by_role("button", name="Release")).to_be_visible()
    page.keyboard.press("n")
    expect(page.get_by_label("Note")).to_be_focused()
    page.keyboard.type("1 it tells to do harm")
    page.keyboard.press("Escape")
    first = page.url
    page.keyboard.press("1")
    page.wait_for_url(lambda url: url != first)  # the next item
    page.goto(first)
    said = page.get_by_role("region", name="Decisions")
    expect(said).to_contain_text("confirmed")
    expect(said).to_contain_text("1 it tells to do harm")


def test_an_item_of_several_dimensions_shows_its_documents_and_is_decided_one_by_one(
    page: Page, axe: str, flagged: Live
) -> None:
    item = next(one for one in flagged.items(dimension="tone") if len(one["dimensions"]) > 1)
    page.goto(f"/w/demo/review/{item['id']}")
    expect(page.get_by_role("region", name="Documents")).to_contain_text("30 days")
    expect(page.locator("mark", has_text="45")).to_be_visible()
    seen(page, axe, "review-item")
    page.get_by_text("Each dimension by itself").click()
    page.get_by_label("tone", exact=True).select_option("tone=confirmed")
    page.get_by_label("factual consistency").select_option("factual consistency=not a problem")
    page.get_by_role("button", name="Decide each").click()
    page.wait_for_url(lambda url: item["id"] not in url)
    decided = flagged.get(f"items/{item['id']}")["decisions"]
    said = {one["dimension"]: one["decision"] for one in decided}
    assert said["tone"] == "confirmed"
    assert said["factual consistency"] == "not a problem"


def test_a_reviewed_call_becomes_a_case_in_one_click(page: Page, axe: str, flagged: Live) -> None:
    (item,) = flagged.items(dimension="pii leak")
    page.goto(f"/w/demo/review/{item['id']}")
    page.get_by_role("button", name="Add to the suite").click()
    expect(page.get_by_text("It is a case now.")).to_be_visible()
    page.get_by_role("status").get_by_role("link", name="returns").click()
    page.wait_for_url("**/suites/returns*")
    expect(page.get_by_text(QUESTION).first).to_be_visible()
    page.goto(f"/w/demo/review/{item['id']}")
    page.get_by_role("button", name="Add to the suite").click()
    expect(page.get_by_text("has a case of this call already")).to_be_visible()
    seen(page, axe, "review-case-twice")


def test_the_policy_is_changed_as_text_and_refused_with_its_place(page: Page, axe: str, live: Live) -> None:
    page.goto("/w/demo/review/policy")
    expect(page.get_by_role("region", name="Rules in force")).to_contain_text("leaks-personal-data")
    text = page.get_by_label("The policy, as YAML")
    text.fill("rules:\n- {name: no-cats, dimension: tone, patterns: ['(']}\n")
    page.get_by_role("button", name="Put in force").click()
    expect(page.get_by_role("alert")).to_contain_text("rules[0].patterns[0]")
    text.fill("rules:\n- {name: no-cats, dimension: tone, patterns: ['\\bcats?\\b']}\n")
    page.get_by_role("button", name="Put in force").click()
    expect(page.get_by_text("Saved.")).to_be_visible()
    expect(page.get_by_role("row", name=re.compile("no-cats"))).to_contain_text("own")
    seen(page, axe, "review-policy")
    page.get_by_role("button", name="Put in force").click()  # what the page shows reads back as the same
    expect(page.get_by_text("version 2")).to_be_visible()


def test_what_judges_say_stands_corrected_beside_their_cost(
    page: Page, axe: str, live: Live, tmp_path: Path
) -> None:
    written = {"judges": [judge(labels=labels(20))]}
    file = tmp_path / "judges.yaml"
    file.write_text(json.dumps(written))
    suite_commands.apply(live.at.core.settings, [file], "demo", "", dry_run=False)
    page.goto("/w/demo/review/policy")
    page.get_by_label("The policy, as YAML").fill(
        "judges:\n- {judge: truth, dimension: factual consistency, rate: 0.1, max_cost: 2}\n"
    )
    page.get_by_role("button", name="Put in force").click()
    row = page.get_by_role("region", name="Judges").get_by_role("row", name=re.compile("truth"))
    expect(row).to_contain_text("10")
    expect(row).to_contain_text("all that a rule flags")
    seen(page, axe, "review-policy-judges")
    shown(live, 40)
    page.goto("/w/demo/review")
    row = page.get_by_role("region", name="Rates by judge").get_by_role("row", name=re.compile("truth"))
    expect(row).to_contain_text("uncorrected")
    row.get_by_text("1", exact=True).click()
    expect(row).to_contain_text("the judge abstains")
    seen(page, axe, "review-judges")


def shown(live: Live, calls: int) -> None:
    """As if the judge had been shown some calls: every fourth fails, and of one it does not say."""
    database = Database(live.at.core.settings.sql)
    with database.transaction() as tx:
        workspace = next(one for one in tenancy.all_workspaces(tx) if one.slug == "demo").id
        kept = judge_store.judge(tx, workspace, "truth")
        assert kept is not None
        now = datetime.now(UTC)
        for number in range(calls):
            call = CallRef(f"{number:032x}", f"c{number}", "shop", "prod", "ask", now)
            ask = Ask(workspace, call, "truth", 1, kept.asks, Dimension.FACTS, 10.0, now)
            review_asks.add(tx, ask)
            said = Outcome(float(number % 4 != 0), number % 4 == 0, "", Decimal("0.0004"), True)
            if number == 1:
                said = Outcome(None, None, "the judge abstains", Decimal("0.0004"), True)
            review_asks.settle(tx, ask, said, now)
    database.close()


def test_all_of_it_works_without_scripts(chromium: Browser, browser: BrowserContext, flagged: Live) -> None:
    state = browser.storage_state()
    base = flagged.at.core.client.base_url
    context = chromium.new_context(java_script_enabled=False, storage_state=state, base_url=str(base))
    page = context.new_page()
    page.goto("/w/demo/review")
    page.get_by_role("region", name="Queue").get_by_role("link").first.click()
    page.get_by_role("button", name="Claim").click()
    at = page.url
    page.get_by_role("button", name="Unclear").click()
    assert page.url != at
    context.close()
