"""The Gateway page by hand in a browser: nothing yet, then real traffic through a real gateway with a vendor that fails."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
import yaml
from playwright.sync_api import Browser, BrowserContext, Page, expect
from tests.browser.test_alerts import seen
from tests.gateway.running_gateway import GatewayProcess
from tests.gateway.vendor import Vendor

from browser.newcomer import newcomer
from holdfast.commands import gateway as commands
from running_core import NO_TLS, CoreProcess, Workspace, until

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def vendor() -> Iterator[Vendor]:
    made = Vendor()
    made.start()
    yield made
    made.stop()


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    core = CoreProcess(tmp_path_factory.mktemp("gateway") / "data", outbound_allow="127.0.0.1").start()
    yield core.workspace("demo", "gateway,read,admin")
    core.stop()


@pytest.fixture
def page(chromium: Browser, desk: Workspace) -> Iterator[Page]:
    context: BrowserContext
    context, made = newcomer(chromium, desk.core, bypass_csp=True)
    made.wait_for_url("**/w/demo/today*")
    yield made
    context.close()


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
        "budgets": [{"scope": "tenant", "amount": "20", "period": "day"}],
    }


def test_from_nothing_to_a_breaker_that_is_open(
    page: Page, axe: str, desk: Workspace, vendor: Vendor, tmp_path: Path
) -> None:
    page.goto("/w/demo/gateway")
    expect(page.get_by_text("No upstream is configured yet")).to_be_visible()
    expect(page.get_by_text("No gateway was heard of")).to_be_visible()
    seen(page, axe, "gateway-empty")
    file = tmp_path / "gateway.yaml"
    file.write_text(yaml.safe_dump(configuration(vendor)))
    commands.apply(desk.core.settings, file, "demo", "", None, dry_run=False)
    gateway = GatewayProcess(desk.core.data)
    gateway.start()
    try:
        vendor.tell("gpt-4o-mini", "500")
        body = {"model": "support", "messages": [{"role": "user", "content": "hi"}], "max_tokens": 9}
        headers = {"authorization": f"Bearer {desk.key}"}
        url = f"http://127.0.0.1:{gateway.port}/v1/chat/completions"
        for _ in range(6):
            assert httpx2.post(url, json=body, headers=headers, verify=NO_TLS).status_code == 200

        def told() -> bool:
            page.goto("/w/demo/gateway")
            return page.get_by_text("open: gpt-4o-mini").count() == 1

        until(told, 30, "the state of the gateway")
        expect(page.get_by_text("in force")).to_be_visible()
        expect(page.get_by_role("row", name="second anthropic").get_by_text("serving")).to_be_visible()
        page.set_viewport_size({"width": 1440, "height": 900})
        page.get_by_label("Model").fill("support")
        page.get_by_label("Tenant").fill("acme")
        page.get_by_role("button", name="Explain").click()
        expect(page.get_by_text("the model name support stands for it")).to_be_visible()
        expect(page.get_by_text("hard budget over tenant acme")).to_be_visible()
        seen(page, axe, "gateway")
        page.set_viewport_size({"width": 1440, "height": 900})
        page.get_by_role("textbox", name="Route").fill("nowhere")
        page.get_by_role("button", name="Explain").click()
        expect(page.get_by_text("there is no route nowhere")).to_be_visible()
    finally:
        gateway.kill()
