"""The gateway's pages by hand in a browser: nothing yet, then traffic through a real gateway with a vendor that fails."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx2
import pytest
import yaml
from playwright.sync_api import Browser, BrowserContext, Page, expect
from tests.browser.test_alerts import seen
from tests.gateway.running_gateway import GatewayProcess
from tests.gateway.vendor import Vendor

from browser.newcomer import admins_browser
from holdfast.commands import gateway as commands
from running_core import NO_TLS, CoreProcess, Workspace, until
from stand import free_port

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(1200)]


@pytest.fixture(scope="module")
def vendor() -> Iterator[Vendor]:
    made = Vendor()
    made.start()
    yield made
    made.stop()


PORT = free_port()


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    core = CoreProcess(
        tmp_path_factory.mktemp("gateway") / "data",
        outbound_allow="127.0.0.1",
        gateway_url=f"http://127.0.0.1:{PORT}",
    ).start()
    yield core.workspace("demo", "gateway,read,admin")
    core.stop()


@pytest.fixture(scope="module")
def browser(chromium: Browser, desk: Workspace) -> Iterator[BrowserContext]:
    """An admin's browser."""
    with admins_browser(chromium, desk.core) as context:
        yield context


@pytest.fixture
def page(browser: BrowserContext) -> Iterator[Page]:
    made = browser.new_page()
    yield made
    made.close()


def configuration(vendor: Vendor) -> dict[str, Any]:
    url = vendor.url + "/v1"
    return {
        "upstreams": {
            "first": {"dialect": "openai", "base_url": url, "models": ["gpt-4o-mini"], "region": "eu"},
            "second": {"dialect": "anthropic", "base_url": url, "models": ["claude-haiku-4-5"]},
        },
        "releases": {
            "v1": {
                "chain": [
                    {"upstream": "first", "model": "gpt-4o-mini"},
                    {"upstream": "second", "model": "claude-haiku-4-5"},
                ]
            }
        },
        "routes": {"support": {"release": "v1", "models": ["support"], "system": "desk"}},
        "budgets": [
            {"scope": "tenant", "amount": "20", "period": "day"},
            {"scope": "tenant", "amount": "0.0001", "period": "month", "hard": False},
        ],
        "limits": [{"scope": "key", "requests_per_minute": 600, "concurrency": 8}],
    }


@pytest.fixture(scope="module")
def gateway(desk: Workspace, vendor: Vendor, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a gateway that serves the configuration."""
    file = tmp_path_factory.mktemp("applied") / "gateway.yaml"
    file.write_text(yaml.safe_dump(configuration(vendor)))
    commands.apply(desk.core.settings, file, "demo", "", None, dry_run=False)
    made = GatewayProcess(desk.core.data, PORT)
    made.start()
    yield f"http://127.0.0.1:{PORT}"
    made.kill()


def ask(gateway: str, key: str, **more: Any) -> httpx2.Response:
    body = {"model": "support", "messages": [{"role": "user", "content": "hi"}], "max_tokens": 9, **more}
    headers = {"authorization": f"Bearer {key}", "x-holdfast-tenant": "acme"}
    return httpx2.post(
        f"{gateway}/v1/chat/completions", json=body, headers=headers, verify=NO_TLS, timeout=60
    )


def test_nothing_yet(page: Page, axe: str) -> None:
    page.goto("/w/demo/gateway")
    expect(page.get_by_text("No upstream is configured yet")).to_be_visible()
    expect(page.get_by_text("No gateway was heard of")).to_be_visible()
    seen(page, axe, "gateway-empty")
    page.get_by_role("link", name="Try it").click()
    page.get_by_label("Model").fill("support")
    page.get_by_label("Message").fill("hello")
    page.get_by_role("button", name="Send it").click()
    expect(page.get_by_text(f"No gateway answers at http://127.0.0.1:{PORT}")).to_be_visible()


def test_what_goes_on_now(page: Page, axe: str, desk: Workspace, vendor: Vendor, gateway: str) -> None:
    vendor.tell("gpt-4o-mini", "500")
    for _ in range(6):
        assert ask(gateway, desk.key).status_code == 200

    def told() -> bool:
        page.goto("/w/demo/gateway")
        return page.get_by_text("open: gpt-4o-mini").count() == 1

    until(told, 30, "the state of the gateway")
    expect(page.get_by_text("in force")).to_be_visible()
    expect(page.get_by_role("row", name="second anthropic").get_by_text("serving")).to_be_visible()
    share = page.get_by_role("region", name="Share of traffic through Holdfast")

    def counted() -> bool:
        page.goto("/w/demo/gateway")
        expect(page.get_by_text("Calls of the last 24 hours")).to_be_visible()
        return share.get_by_role("row", name="desk").count() == 1

    until(counted, 30, "the calls")
    expect(share.get_by_role("row", name="desk")).to_contain_text("100.0 %")
    page.get_by_role("link", name="7 days").click()
    expect(page.get_by_role("link", name="24 hours")).to_be_visible()
    failures = page.get_by_role("region", name="Failures by route")
    expect(failures.get_by_role("row", name="support")).to_be_visible()
    vendor.tell("claude-haiku-4-5", "stall")
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(ask, gateway, desk.key)
        try:
            live = page.get_by_role("region", name="Requests under way")
            expect(live.get_by_role("row", name="claude-haiku-4-5")).to_be_visible(timeout=20_000)
            seen(page, axe, "gateway")
        finally:
            vendor.tell("claude-haiku-4-5", "well")
            vendor.released.set()
        waiting.result()
    vendor.released.clear()
    expect(page.get_by_text("No request is under way.")).to_be_visible(timeout=20_000)  # without a reload


def test_budgets_stand_are_crossed_and_lifted(page: Page, axe: str, desk: Workspace, gateway: str) -> None:
    assert ask(gateway, desk.key).status_code == 200

    def told() -> bool:
        page.goto("/w/demo/gateway/budgets")
        return page.get_by_text("soft budget crossed").count() == 1

    until(told, 30, "the crossed budget")
    budgets = page.get_by_role("region", name="Budgets", exact=True)
    expect(budgets.get_by_role("row", name="hard, each day, over tenant")).to_contain_text("acme")
    limits = page.get_by_role("region", name="Limits")
    expect(limits.get_by_role("row", name="over key")).to_contain_text("of 600")
    page.get_by_label("Which one").fill("acme")
    page.get_by_label("Why").fill("the fair")
    page.get_by_label("At most so much more").fill("much")
    page.get_by_role("button", name="Lift it").click()
    expect(page.get_by_text("an amount is a number")).to_be_visible()
    page.get_by_label("At most so much more").fill("5")
    page.get_by_role("button", name="Lift it").click()
    lifts = page.get_by_role("region", name="Lifts")
    expect(lifts.get_by_role("row", name="the fair")).to_contain_text("hard budgets")
    expect(budgets.get_by_text("lifted")).to_be_visible(timeout=20_000)
    expect(budgets.get_by_text("$25.00")).to_be_visible()
    seen(page, axe, "gateway-budgets")
    page.on("dialog", lambda dialog: dialog.accept())
    lifts.get_by_role("button", name="End it").click()
    expect(lifts.get_by_text("ended")).to_be_visible()


def test_a_key_is_made_shown_once_changed_and_revoked(
    page: Page, axe: str, desk: Workspace, gateway: str
) -> None:
    page.goto("/w/demo/gateway/keys")
    page.get_by_label("What it is for").fill("the shop")
    page.get_by_label("System").fill("shop")
    page.get_by_label("Routes it may use").fill("support, nowhere")
    page.get_by_role("button", name="Make the key").click()
    expect(page.get_by_text("there is no route 'nowhere'")).to_be_visible()
    page.get_by_label("Routes it may use").fill("support")
    page.get_by_role("button", name="Make the key").click()
    expect(page.get_by_text("It is shown this once")).to_be_visible()
    text = page.locator(".notice .code pre").inner_text()
    row = page.get_by_role("row", name="the shop")
    expect(row).to_contain_text("system shop")
    until(lambda: ask(gateway, text).status_code == 200, 10, "the key at the gateway")

    def used() -> bool:
        page.goto("/w/demo/gateway/keys")
        return row.locator("time").count() == 2

    until(used, 20, "when the key was used")
    assert text not in page.content()
    row.get_by_role("link", name="Change").click()
    expect(page.get_by_role("heading", name="Change what the shop stands for")).to_be_visible()
    page.get_by_label("Tenant").fill("birch")
    page.get_by_role("button", name="Apply").click()
    expect(row).to_contain_text("tenant birch")
    seen(page, axe, "gateway-keys")
    page.on("dialog", lambda dialog: dialog.accept())
    row.get_by_role("button", name="Revoke").click()
    expect(row.get_by_text("revoked")).to_be_visible()
    until(lambda: ask(gateway, text).status_code == 401, 10, "the end of the key")


def test_a_request_is_explained_tried_and_found_again(
    page: Page, axe: str, desk: Workspace, vendor: Vendor, gateway: str
) -> None:
    vendor.tell("gpt-4o-mini", "500")
    page.goto("/w/demo/gateway/try")
    page.get_by_label("Model").fill("support")
    page.get_by_label("Tenant").fill("acme")
    page.get_by_role("button", name="Explain").click()
    expect(page.get_by_text("the model name support stands for it")).to_be_visible()
    expect(page.get_by_text("hard budget over tenant acme")).to_be_visible()
    page.get_by_role("textbox", name="Route").fill("nowhere")
    page.get_by_role("button", name="Explain").click()
    expect(page.get_by_text("there is no route nowhere")).to_be_visible()
    page.get_by_role("textbox", name="Route").fill("")
    page.get_by_label("Message").fill("hello")
    page.get_by_role("button", name="Send it").click()
    answer = page.get_by_role("region", name="The answer")
    expect(answer).to_be_visible()
    expect(answer.get_by_text("second", exact=True)).to_be_visible()
    expect(page.get_by_role("region", name="What decided it")).to_contain_text("feature try-it")
    seen(page, axe, "gateway-try")
    answer.locator("a.plain-link").click()
    page.wait_for_url("**/w/demo/traces/*")

    def recorded() -> bool:
        page.goto("/w/demo/calls?feature=try-it&user=admin@localhost&attempt=false")
        return page.locator("tr[data-row]").count() == 1

    until(recorded, 20, "the call of the trial")
    page.goto("/w/demo/gateway/try")
    page.get_by_label("Model").fill("nothing-has-it")
    page.get_by_label("Message").fill("hello")
    page.get_by_role("button", name="Send it").click()
    expect(page.get_by_text("It failed with 404.")).to_be_visible()
    vendor.tell("gpt-4o-mini", "well")
