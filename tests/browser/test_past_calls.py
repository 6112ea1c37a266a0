"""Past calls are priced and counted anew from the settings: asked for, watched, told; light and dark."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from browser.newcomer import newcomer
from browser.test_accessibility import violations
from otlp_made import CHAT, body, span
from running_core import CoreProcess, Workspace

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(1200)]
SHOTS = Path(__file__).parents[2] / "screenshots"
DAY = 86_400 * 10**9


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """A workspace with calls of three days, of a model that has a price and of one that has none."""
    core = CoreProcess(tmp_path_factory.mktemp("past") / "data", min_free_bytes=1).start()
    try:
        workspace = core.workspace("demo", "ingest,read,admin")
        now = time.time_ns()
        for number in range(3):
            sent = [span(start_ns=now - number * DAY - 10**10 + k, attributes=CHAT) for k in range(40)]
            ours = {**CHAT, "gen_ai.request.model": "ours-1"}
            sent += [span(start_ns=now - number * DAY - 10**10 - k, attributes=ours) for k in range(10)]
            assert workspace.post(body(sent, resource={"service.name": "shop"})).status_code == 200
        assert workspace.count() == (150, 150)
        yield workspace
    finally:
        core.stop()


def run(page: Page, button: str) -> None:
    runs = page.locator("#past-runs tbody tr")
    before = runs.count()
    page.get_by_role("button", name=button).click()
    expect(runs).to_have_count(before + 1)
    expect(runs.first.get_by_text("done")).to_be_visible(timeout=60_000)


def test_past_calls(chromium: Browser, shop: Workspace, axe: str) -> None:
    context, page = newcomer(chromium, shop.core, bypass_csp=True)
    page.wait_for_url("**/w/demo/today*")
    faults: list[str] = []
    page.on("console", lambda said: faults.append(said.text) if said.type == "error" else None)
    page.goto("/w/demo/settings/past-calls")
    expect(page.get_by_text("Nothing was priced or counted anew yet")).to_be_visible()
    page.goto("/w/demo/settings/prices")
    for label, value in (("Provider", "openai"), ("From", "2026-01-01"), ("Input, uncached (optional)", "3")):
        page.get_by_label(label, exact=True).fill(value)
    page.get_by_label("Model", exact=True).fill("ours-1")
    page.get_by_label("Output (optional)", exact=True).fill("6")
    page.get_by_role("button", name="Add the price").click()
    page.get_by_role("link", name="Past calls").click()
    page.get_by_label("System").select_option("shop")
    run(page, "Price past calls anew")
    row = page.locator("#past-runs tbody tr").first
    expect(row).to_contain_text("30 changed")
    expect(row).to_contain_text("Priced anew")
    run(page, "Count past calls anew")
    expect(page.locator("#past-runs tbody tr").first).to_contain_text("nothing")
    head = page.locator("#past-runs").evaluate("it => it.outerHTML.split('>')[0]")
    assert "hx-get" not in head, "what is done is not asked for again"
    shown = shop.get("recounts")[0]
    assert (shown["traces"], shown["seen"], shown["calls"], shown["unchanged"]) == (150, 150, 150, 150)
    page.get_by_label("From", exact=True).fill("2026-11-20")
    page.get_by_label("To", exact=True).fill("2026-11-01")
    page.get_by_role("button", name="Count past calls anew").click()
    expect(page.get_by_text(re.compile("ends before it begins"))).to_be_visible()
    SHOTS.mkdir(exist_ok=True)
    page.goto("/w/demo/settings/past-calls")
    page.evaluate(axe)
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        page.screenshot(path=str(SHOTS / f"{scheme}-past-calls.png"), full_page=True)
        assert violations(page) == [], scheme
    assert [one for one in faults if "422" not in one] == []
    context.close()
