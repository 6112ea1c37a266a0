"""What nobody registered, in a browser: read, raised, registered."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect
from tests.applications.desk import SENT, Desk
from tests.browser.test_alerts import seen

from browser.newcomer import admins_browser
from running_core import CoreProcess

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    core = CoreProcess(tmp_path_factory.mktemp("unrecorded") / "data").start()
    yield Desk(core, "demo")
    core.stop()


@pytest.fixture(scope="module")
def browser(chromium: Browser, desk: Desk) -> Iterator[BrowserContext]:
    """An admin's browser."""
    with admins_browser(chromium, desk.door.core) as context:
        yield context


def test_what_nobody_registered_is_raised_and_registered(page: Page, axe: str, desk: Desk) -> None:
    page.goto("/w/demo/unrecorded")
    expect(page.get_by_text("No calls yet")).to_be_visible()
    desk.calls(7)
    desk.found()
    page.goto("/w/demo/unrecorded")
    rows = page.get_by_role("region", name="Nobody registered", exact=True)
    expect(rows).to_contain_text("no release is registered here")
    expect(rows).to_contain_text("observed and ungoverned")
    expect(rows).to_contain_text("unknown: no deployment announced")
    rows.get_by_role("button", name="Register").click()
    expect(page.get_by_role("region", name="Registered", exact=True)).to_contain_text("support, version 1")
    desk.calls(6, SENT.replace("Never promise", "Gladly promise"))
    desk.calls(2, SENT, **{"gen_ai.system_instructions": "", "gen_ai.input.messages": ""})
    desk.found()
    page.goto("/w/demo/unrecorded")
    expect(rows).to_contain_text("1 sentences added, 1 removed of 4")
    expect(page.get_by_role("region", name="Cannot be told", exact=True)).to_contain_text("system prompt")
    rows.get_by_role("button", name="Raise").click()
    expect(rows).to_contain_text("raised by")
    expect(rows.get_by_role("button", name="Raise")).to_have_count(0)
    seen(page, axe, "unrecorded")
