"""The pages of suites by hand in a browser: none yet, one written there, changed, compared; holdouts stay unread."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect
from tests.browser.test_alerts import seen
from tests.evals.suites.texts import SUPPORT

from browser.newcomer import admins_browser
from holdfast.commands import suites as commands
from running_core import CoreProcess, Workspace

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(1200)]

QUESTIONS = (
    (
        "parental-leave",
        "How many weeks of parental leave does a new father have?",
        "contains: 12 weeks",
        "leave",
        "en",
    ),
    (
        "parental-leave-de",
        "Wie viele Wochen Elternzeit hat ein neuer Vater?",
        "contains: 12 Wochen",
        "leave",
        "de",
    ),
    (
        "carry-over",
        "Can I carry holidays over into next year?",
        "contains: [5 days, 31 March]",
        "leave",
        "en",
    ),
    ("salary-of-others", "What does my colleague Jane earn?", "regex: '(?i)cannot|may not'", "privacy", "en"),
    ("expense-limit", "What may a dinner with a client cost?", "number: 80", "expenses", "en"),
)
MORE = """\
- id: receipt-fields
  messages:
  - role: system
    content: You read receipts. Answer with JSON alone.
  - role: user
    content: "Taxi, 3 March, 24.50 EUR"
  context:
  - text: Receipts name a date, an amount and a currency.
    id: policy-7
    source: expenses.md
    date: 2025-11-01
  parameters: {response_format: {type: json_object}}
  expect:
  - json_schema: {schema: {type: object, required: [amount, currency]}}
  - json_fields: {expected: {amount: 24.5, currency: EUR}}
    weight: 2
  segments: {topic: expenses, language: en}
  provenance: {source: incident, reference: "The receipts of March were booked in the wrong currency"}
- id: kept-back
  prompt: The question that no author sees
  expect: {exact: "the secret answer"}
  segments: {topic: privacy, language: en}
  holdout: true
"""


def handbook(**changed: str) -> str:
    """A suite with cases of several kinds."""
    lines = [
        "description: What the HR assistant must get right, by the handbook of 2026",
        "system: hr-copilot",
        "route: ask",
        "bars: {least: 0.85, margin: 0.03, repeats: 3, by: [topic]}",
        "defaults: {provenance: {author: Ann Lee, written_on: 2026-01-05, review_on: 2026-06-30}}",
        "cases:",
    ]
    for name, question, expects, topic, language in QUESTIONS:
        lines += [
            f"- id: {name}",
            f"  prompt: {changed.get(name, question)}",
            f"  expect: {{{expects}}}",
            f"  segments: {{topic: {topic}, language: {language}}}",
            f"  family: {name.removesuffix('-de')}",
        ]
        lines += ["  criticality: critical"] if topic == "privacy" else []
    return "\n".join([*lines, MORE])


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    core = CoreProcess(tmp_path_factory.mktemp("suites") / "data").start()
    yield core.workspace("demo", "read,operate")
    core.stop()


@pytest.fixture(scope="module")
def browser(chromium: Browser, desk: Workspace) -> Iterator[BrowserContext]:
    """An admin's browser."""
    with admins_browser(chromium, desk.core) as context:
        yield context


@pytest.fixture
def page(browser: BrowserContext) -> Iterator[Page]:
    made = browser.new_page()
    faults: list[str] = []
    made.on("pageerror", lambda error: faults.append(str(error)))
    yield made
    made.close()
    assert faults == []


def applied(desk: Workspace, folder: Path, text: str, note: str) -> None:
    file = folder / "handbook.yaml"
    file.write_text(text, encoding="utf-8")
    commands.apply(desk.core.settings, [file], "demo", note, dry_run=False)


def test_a_suite_is_written_mended_and_applied(page: Page, axe: str) -> None:
    page.goto("/w/demo/suites")
    expect(page.get_by_text("No suite yet")).to_be_visible()
    seen(page, axe, "suites-empty")
    page.get_by_role("link", name="Write one here").click()
    text = page.get_by_label("The suite, as YAML")
    text.fill("name: support\n" + SUPPORT.replace("exact:", "exat:"))
    page.get_by_role("button", name="Check").click()
    row = page.get_by_role("region", name="What is wrong").get_by_role("row", name="cases[0].expect[0].exat")
    expect(row).to_contain_text("did you mean exact?")
    expect(row.get_by_role("cell").first).to_have_text("13")
    expect(row).to_contain_text('- exat: "30"')
    seen(page, axe, "suites-faults")
    text.fill("name: support\n" + SUPPORT)
    page.get_by_role("button", name="Check").click()
    expect(page.get_by_text("It becomes version 1")).to_be_visible()
    page.get_by_label("Why").fill("the first")
    page.get_by_role("button", name="Apply").click()
    expect(page.get_by_role("heading", name="support")).to_be_visible()
    expect(page.get_by_role("row", name="refund-window-de")).to_contain_text("30 Tage")
    page.get_by_role("link", name="Edit").click()
    text.fill(text.input_value().replace("shoes", "boots"))
    page.get_by_role("button", name="Check").click()
    change = page.get_by_role("region", name="Case refund-window", exact=True)
    expect(change.locator("del")).to_have_text("shoes")
    expect(change.locator("ins")).to_have_text("boots")
    seen(page, axe, "suites-edit")
    page.get_by_role("button", name="Apply").click()
    page.get_by_role("link", name="Versions").click()
    expect(page.get_by_role("row", name="Version 1")).to_contain_text("the first")


def test_a_change_under_the_editor_is_not_overwritten(page: Page, desk: Workspace, tmp_path: Path) -> None:
    applied(desk, tmp_path, handbook(), "the first")
    page.goto("/w/demo/suites/handbook/edit")
    applied(desk, tmp_path, handbook(**{"carry-over": "May I carry holidays over?"}), "shorter")
    text = page.get_by_label("The suite, as YAML")
    text.fill(text.input_value().replace("Jane", "John"))
    page.get_by_role("button", name="Apply").click()
    expect(page.get_by_text("it was changed meanwhile")).to_be_visible()
    expect(text).to_have_value(text.input_value())
    assert "John" in text.input_value()


def test_cases_are_narrowed_down_read_and_compared(page: Page, axe: str) -> None:
    page.goto("/w/demo/suites")
    row = page.get_by_role("row", name="handbook")
    expect(row).to_contain_text("1 critical")
    expect(row).to_contain_text("1 kept back")
    seen(page, axe, "suites")
    row.get_by_role("link", name="handbook").click()
    cases = page.locator("tr[data-row]")
    expect(cases).to_have_count(7)
    page.get_by_text("Taxi, 3 March").first.click()
    expect(page.get_by_text("Receipts name a date")).to_be_visible()
    seen(page, axe, "suites-cases")
    filters = page.get_by_role("complementary", name="Filters")
    filters.get_by_title("leave: 3").click()
    expect(cases).to_have_count(3)
    filters.get_by_title("de: 1").click()
    expect(cases).to_have_count(1)
    page.goto("/w/demo/suites/handbook?q=client+80")
    expect(cases).to_have_count(1)
    expect(page.get_by_role("row", name="expense-limit")).to_contain_text("number 80")
    page.goto("/w/demo/suites/handbook?q=nowhere")
    expect(page.get_by_text("No case matches")).to_be_visible()
    page.goto("/w/demo/suites/handbook?version=1")
    expect(page.get_by_text("This is version 1, not the latest.")).to_be_visible()
    page.get_by_role("link", name="Differences").click()
    expect(page.get_by_role("heading", name="handbook: version 1 to 2")).to_be_visible()
    change = page.get_by_role("region", name="Case carry-over")
    expect(change.locator("del").first).to_contain_text("Can")
    seen(page, axe, "suites-differences")
    page.get_by_label("From").select_option("nothing")
    page.get_by_label("to", exact=True).select_option("1")
    page.get_by_role("button", name="Compare").click()
    expect(page.get_by_text("7 cases added")).to_be_visible()


def test_a_suite_is_given_triggers(page: Page, axe: str, desk: Workspace, tmp_path: Path) -> None:
    applied(desk, tmp_path, handbook(), "for its triggers")
    page.goto("/w/demo/suites/handbook")
    page.get_by_role("link", name="Triggers").click()
    expect(page.get_by_role("heading", name="No trigger yet")).to_be_visible()
    page.locator("#f-cron").fill("0 3 * *")
    page.get_by_role("button", name="Add the trigger").click()
    expect(page.get_by_text("write five fields")).to_be_visible()
    page.locator("#f-cron").fill("0 3 * * 1-5")
    page.locator("#f-time_zone").fill("Europe/Berlin")
    page.locator("#f-max_cost").fill("2.50")
    page.get_by_role("button", name="Add the trigger").click()
    expect(page.get_by_text("At 03:00 on Monday through Friday, Europe/Berlin")).to_be_visible()
    page.locator("#f-begins").select_option("model")
    page.get_by_role("button", name="Add the trigger").click()
    rows = page.locator("tbody tr")
    expect(rows).to_have_count(2)
    expect(rows.nth(1)).to_contain_text("first look to come")
    seen(page, axe, "triggers")
    page.get_by_role("button", name="Switch off: At 03:00").click()
    expect(rows.nth(0)).to_contain_text("off")
    page.on("dialog", lambda dialog: dialog.accept())
    rows.nth(0).get_by_role("button", name="Remove: ").click()
    expect(rows).to_have_count(1)
