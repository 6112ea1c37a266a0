"""Channels, rules and alerts by hand in a browser, on a real core that tells a real mail and web server."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect
from tests.browser.test_accessibility import violations
from tests.platform.notify.receivers import MailServer, WebServer, mail_server, web_server

from browser.newcomer import admins_browser
from otlp_made import CHAT, body, span
from running_core import CoreProcess, Workspace, until

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(1200)]

SHOTS = Path(__file__).parents[2] / "screenshots"


@pytest.fixture(scope="module")
def mail() -> Iterator[MailServer]:
    with mail_server() as made:
        yield made


@pytest.fixture(scope="module")
def web() -> Iterator[WebServer]:
    with web_server() as made:
        yield made


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """A workspace whose system fails now and then."""
    core = CoreProcess(tmp_path_factory.mktemp("alerts") / "data", outbound_allow="127.0.0.1").start()
    workspace = core.workspace("demo", "ingest,read,admin")
    now = time.time_ns()
    spans = []
    for number in range(60):
        told = {**CHAT, "holdfast.route": "/ask", **({"error.type": "500"} if number % 4 == 0 else {})}
        made = span(start_ns=now - (20 + number) * 10**9, duration_ms=900 + number * 40, attributes=told)
        if number % 4 == 0:
            made.status.code = 2
        spans.append(made)
    assert workspace.post(body(spans)).status_code == 200
    assert workspace.count()[0] == 60
    yield workspace
    core.stop()


@pytest.fixture(scope="module")
def browser(chromium: Browser, shop: Workspace) -> Iterator[BrowserContext]:
    """An admin's browser."""
    with admins_browser(chromium, shop.core) as context:
        yield context


@pytest.fixture
def page(browser: BrowserContext) -> Iterator[Page]:
    """A page that says nothing on its console and asks nothing twice."""
    made = browser.new_page()
    faults: list[str] = []
    made.on("pageerror", lambda error: faults.append(str(error)))
    made.on("console", lambda said: faults.append(said.text) if said.type == "error" else None)
    made.on("dialog", lambda dialog: dialog.accept())
    yield made
    assert [one for one in faults if "422" not in one] == []
    made.close()


def seen(page: Page, axe: str, name: str) -> None:
    """Looks at the page in light and dark: axe finds nothing, nothing sticks out; keeps a picture of each."""
    SHOTS.mkdir(exist_ok=True)
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        page.screenshot(path=str(SHOTS / f"{name}-{scheme}.png"), full_page=True)
        page.evaluate(axe)
        assert violations(page) == [], f"{name} in {scheme}"
    for width in (320, 1440):
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth") <= width, f"{name} at {width} px"


def test_a_channel_is_added_tested_and_heard_of(
    page: Page, axe: str, mail: MailServer, web: WebServer
) -> None:
    page.goto("/w/demo/settings/notifications")
    expect(page.get_by_text("No channels yet")).to_be_visible()
    seen(page, axe, "notifications-empty")
    page.get_by_role("link", name="E-mail").last.click()
    page.get_by_label("Name").fill("On call")
    page.get_by_label("Mail server").fill("127.0.0.1")
    page.get_by_label("Port").fill(str(mail.port))
    page.get_by_label("Encryption").select_option("none")
    page.get_by_label("From").fill("nobody")
    page.get_by_label("To").fill("ada@acme.test")
    page.get_by_role("button", name="Add the channel").click()
    expect(page.locator(".field .error")).to_contain_text("is not an e-mail address")
    seen(page, axe, "notifications-form")
    page.get_by_label("From").fill("holdfast@acme.test")
    page.get_by_role("button", name="Add the channel").click()
    page.get_by_role("button", name="Send a test to On call").click()
    expect(page.get_by_text("queued as 4711").first).to_be_visible()
    assert mail.letters[0].recipients == ["ada@acme.test"]
    page.locator("details.menu summary", has_text="Add a channel").click()
    page.get_by_role("link", name="Signed webhook").click()
    page.get_by_label("Name").fill("Ticket system")
    page.get_by_label("URL").fill(web.url("/in"))
    page.get_by_role("button", name="Add the channel").click()
    secret = page.locator(".code pre").inner_text()
    assert secret.startswith("whsec_")
    seen(page, axe, "notifications-secret")
    web.answers.append((404, "no such hook here", {}))
    page.get_by_role("button", name="Send a test to Ticket system").click()
    expect(page.locator(".notice.danger")).to_contain_text("404 no such hook here")
    expect(page.locator(".banner.danger")).to_contain_text("Messages to “Ticket system” do not arrive")
    assert secret not in page.content()
    seen(page, axe, "notifications")
    page.get_by_role("button", name="Send a test to Ticket system").click()
    expect(page.locator(".banner.danger")).to_have_count(0)


def test_a_rule_is_previewed_kept_and_fires(
    page: Page, axe: str, shop: Workspace, mail: MailServer, web: WebServer
) -> None:
    page.goto("/w/demo/alerts")
    expect(page.get_by_text("Nothing is watched yet")).to_be_visible()
    seen(page, axe, "alerts-empty")
    page.get_by_role("link", name="Add a rule").click()
    seen(page, axe, "rules-empty")
    page.get_by_role("link", name="Error rate").click()
    page.get_by_label("Name").fill("Shop fails")
    page.get_by_label("System").fill("shop")
    page.get_by_label("Severity").select_option("critical")
    page.get_by_role("button", name="Preview").click()
    expect(page.get_by_text("25.0 % of 60 calls failed")).to_be_visible()
    seen(page, axe, "rule-preview")
    page.get_by_label("Failed calls, in percent").fill("many")
    page.get_by_role("button", name="Save the rule").click()
    expect(page.locator(".field .error")).to_have_text("this is not a number")
    page.get_by_label("Failed calls, in percent").fill("10")
    page.get_by_role("button", name="Save the rule").click()
    for kind, name, label, value in (
        ("spend", "Monthly budget", "Budget", "500"),
        ("p95", "Slow answers", "p95 in milliseconds", "60000"),
        ("no_data", "Silent voice bot", "System", "voice-bot"),
    ):
        page.goto(f"/w/demo/alerts/rules/new/{kind}")
        page.get_by_label("Name").fill(name)
        page.get_by_label(label).fill(value)
        page.get_by_role("button", name="Save the rule").click()
    until(lambda: len(mail.letters) >= 2, 60, "the letter")
    until(lambda: len(web.hits) >= 3, 60, "the webhook")
    assert str(mail.letters[-1].letter["subject"]) == "Alert: Shop fails: error rate at or over 10 %"
    told = json.loads(web.hits[-1].body)
    assert told["type"] == "alert.firing" and told["data"]["system"] == "shop"
    page.goto("/w/demo/alerts/rules")
    until(lambda: shop.get("alert-rules")[-1]["evaluated_at"] is not None, 60, "the first evaluation")
    page.reload()
    seen(page, axe, "rules")
    page.goto("/w/demo/alerts")
    expect(
        page.get_by_role("link", name="Shop fails: error rate at or over 10 %", exact=True)
    ).to_be_visible()
    seen(page, axe, "alerts")
    page.goto("/w/demo/today")
    waiting = page.get_by_role("region", name="What waits for me")
    expect(waiting.get_by_role("link", name="Shop fails: error rate at or over 10 %")).to_be_visible()
    expect(waiting).to_contain_text("1 alert rule cannot say")
    seen(page, axe, "today-waiting")
    page.goto(told["data"]["link"])
    page.wait_for_load_state("networkidle")
    expect(page.locator("#call-rows tr")).to_have_count(15)
    page.goto("/w/demo/alerts/rules")
    page.get_by_role("button", name="Switch off Shop fails").click()
    page.goto("/w/demo/alerts")
    expect(page.get_by_text("the rule was switched off")).to_be_visible()
    seen(page, axe, "alerts-past")
    until(lambda: len(mail.letters) >= 3, 60, "the letter of the end")
    assert str(mail.letters[-1].letter["subject"]).startswith("Resolved: Shop fails")
    state = {one["name"]: one["state"] for one in shop.get("alert-rules")}
    assert state == {
        "Shop fails": "unknown",
        "Monthly budget": "ok",
        "Slow answers": "ok",
        "Silent voice bot": "unknown",
    }
