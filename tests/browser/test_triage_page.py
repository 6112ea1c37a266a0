"""Triage in a browser: begun from the page, read, an item decided, a category named."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect
from tests.browser.test_alerts import seen
from tests.feedback.test_triage import backlog

from browser.newcomer import admins_browser
from running_core import CoreProcess, Workspace, until

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(1200)]


def told(at: datetime, prefix: str, ends: tuple[str, ...]) -> list[dict[str, object]]:
    """Items of a backlog as they are sent."""
    return [
        {
            "id": one.id, "session": one.session, "rating": -1, "comment": one.comment,
            "metadata": dict(one.metadata), "created_at": at.isoformat(),
        }
        for one in backlog(ends, at, prefix)
    ]  # fmt: skip


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """A workspace with feedback of two weeks."""
    core = CoreProcess(tmp_path_factory.mktemp("triage") / "data", min_free_bytes=1).start()
    workspace = core.workspace("demo", "ingest,read,content,operate,admin")
    now = datetime.now(UTC)
    batches = told(now - timedelta(days=8), "old", ("", " now", " again", " at home")) + told(
        now, "new", (" today", "")
    )
    for at in range(0, len(batches), 1000):
        answer = core.client.post(
            "/api/v1/feedback/batch",
            json={"items": batches[at : at + 1000]},
            headers={"authorization": f"Bearer {workspace.key}"},
        )
        assert answer.status_code == 201, answer.text
    yield workspace
    core.stop()


@pytest.fixture(scope="module")
def browser(chromium: Browser, shop: Workspace) -> Iterator[BrowserContext]:
    """An admin's browser."""
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
    assert faults == []
    made.close()


def test_a_backlog_is_triaged_from_the_page(page: Page, axe: str, shop: Workspace) -> None:
    page.goto("/w/demo/triage")
    expect(page.get_by_text("No triage yet")).to_be_visible()
    page.get_by_role("button", name="Triage now").click()
    headers = {"authorization": f"Bearer {shop.key}"}

    def over() -> bool:
        found = shop.core.client.get("/api/v1/feedback-triage", headers=headers).json()
        return [one["state"] for one in found] == ["done"]

    until(over, 90, "the end of the triage")
    page.goto("/w/demo/triage")
    table = page.get_by_role("region", name="Categories")
    expect(table.get_by_role("row", name="parcel").first).to_be_visible()
    expect(page.get_by_role("region", name="Failure modes")).to_contain_text("refusal")
    expect(page.get_by_role("region", name="What it found")).to_contain_text("not calibrated: 0 of 20")
    seen(page, axe, "triage")


def test_an_item_is_decided_and_a_category_named(page: Page, axe: str, shop: Workspace) -> None:
    page.goto("/w/demo/triage")
    page.get_by_role("region", name="Categories").get_by_role("link").first.click()
    page.wait_for_url("**category=*")
    page.get_by_label("Name of this category").fill("What people ask most")
    page.get_by_role("button", name="Rename").click()
    expect(page.get_by_role("link", name="What people ask most")).to_be_visible()
    first = page.get_by_role("article").first
    name = first.get_attribute("aria-label") or ""
    headers = {"authorization": f"Bearer {shop.key}"}
    path = f"/api/v1/feedback-triage/items/{name.removeprefix('Item ')}"
    expect(first.locator(".said strong")).to_be_visible()
    first.get_by_label("Failure").select_option("tone")
    first.get_by_role("button", name="So it is").click()
    expect(page.get_by_role("article", name=name, exact=True)).to_have_count(0)
    put = shop.core.client.get(path, headers=headers).json()
    assert put["said_mode"] == "tone"
    assert put["mode"] != "tone"
