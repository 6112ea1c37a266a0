"""Changes in a browser: read word by word, submitted, approved, watched, and rolled back with a reason."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect
from tests.browser.test_alerts import seen
from tests.gateway.control.desk import document

from browser.newcomer import admins_browser
from holdfast.commands import gateway as gateway_commands
from running_core import CoreProcess, Workspace, until

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(1200)]

POLICY = {
    "systems": {
        "*": {
            "moderate": {"suites": [], "reviewers": 1},
            "major": {"suites": [], "reviewers": 0, "shadow": None},
        }
    }
}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """A workspace with a gateway's configuration."""
    folder = tmp_path_factory.mktemp("changes")
    core = CoreProcess(folder / "data", outbound_allow="127.0.0.1").start()
    workspace = core.workspace("demo", "read,operate,admin")
    written = document()
    written["routes"]["chat"] = {"release": "two", "models": ["chat"]}
    (folder / "gateway.yaml").write_text(json.dumps(written))
    gateway_commands.apply(core.settings, folder / "gateway.yaml", "demo", "", None, dry_run=False)
    ask(workspace, "PUT", "/api/v1/change-rules/policy", policy=POLICY)
    yield workspace
    core.stop()


@pytest.fixture(scope="module")
def browser(chromium: Browser, shop: Workspace) -> Iterator[BrowserContext]:
    """An admin's browser."""
    with admins_browser(chromium, shop.core) as context:
        yield context


def ask(shop: Workspace, method: str, path: str, **body: Any) -> Any:
    headers = {"authorization": f"Bearer {shop.key}"}
    answer = shop.core.client.request(method, path, json=body or None, headers=headers)
    assert answer.status_code in (200, 201), answer.text
    return answer.json()


def propose(shop: Workspace, title: str, said: str, **release: Any) -> str:
    """The id of a change of what the system prompt says."""
    written = {
        "chain": [{"upstream": "other", "model": "claude-sonnet-4-5"}, {"upstream": "main"}],
        "prompt": {"messages": [{"role": "system", "content": said}], "variables": {"name": {}}},
    }
    body = {"route": "chat", "title": title, "ticket": "SUP-7", "document": {**written, **release}}
    made: str = ask(shop, "POST", "/api/v1/changes", **body)["id"]
    return made


def state(shop: Workspace, id: str) -> str:
    found: str = ask(shop, "GET", f"/api/v1/changes/{id}")["change"]["state"]
    return found


def test_a_change_is_read_submitted_and_approved(page: Page, axe: str, shop: Workspace) -> None:
    page.goto("/w/demo/changes")
    expect(page.get_by_text("No change yet")).to_be_visible()
    id = propose(shop, "Serve kindly", "You serve {{ name }} kindly.")
    page.goto("/w/demo/changes")
    page.get_by_role("link", name="Serve kindly").click()
    difference = page.get_by_role("region", name="Difference")
    expect(difference.locator("ins").first).to_contain_text("kindly")
    expect(page.get_by_role("region", name="Class")).to_contain_text("moderate")
    page.get_by_role("button", name="Submit it").click()
    expect(page.get_by_role("region", name="Reviews")).to_contain_text("0 of 2")
    page.get_by_role("textbox", name="Review").fill("reads well")
    page.get_by_role("button", name="Approve what is shown here").click()
    reviews = page.get_by_role("region", name="Reviews")
    expect(reviews).to_contain_text("1 of 2")
    expect(reviews).to_contain_text("reads well")
    seen(page, axe, "change-gated")
    assert state(shop, id) == "gated", "nobody knows who wrote it, so it takes one reviewer more"
    page.get_by_role("textbox", name="Review").fill("")
    page.get_by_role("button", name="Reject").click()
    expect(page.get_by_role("alert")).to_contain_text("say why")
    page.get_by_role("textbox", name="Why", exact=True).fill("another wording")
    page.get_by_role("button", name="Withdraw").click()
    expect(page.get_by_text("withdrawn: another wording").first).to_be_visible()


def test_a_rollout_is_watched_and_rolled_back(page: Page, axe: str, shop: Workspace) -> None:
    id = propose(
        shop, "Another model", "You serve {{ name }}.", chain=[{"upstream": "main", "model": "gpt-4o-mini"}]
    )
    ask(shop, "POST", f"/api/v1/changes/{id}/submit")
    until(lambda: state(shop, id) == "ramping", 60, "the ramp")
    page.goto("/w/demo/changes")
    expect(page.get_by_role("region", name="Open").get_by_role("row", name="Another model")).to_contain_text(
        "5 %"
    )
    seen(page, axe, "changes")
    page.goto(f"/w/demo/changes/{id}")
    now = page.get_by_role("region", name="Rollout")
    expect(now).to_contain_text("no call of the candidate tells it yet")
    expect(now).to_contain_text("Nothing is known of cost, refusals")
    seen(page, axe, "change-ramping")
    page.get_by_role("textbox", name="Why", exact=True).fill("wrong refund terms")
    page.get_by_role("button", name="Roll back now").click()
    expect(page.get_by_text("wrong refund terms").first).to_be_visible()
    until(lambda: state(shop, id) == "rolled_back", 60, "the end of it")
    page.goto(f"/w/demo/changes/{id}")
    expect(page.get_by_role("region", name="Steps")).to_contain_text("rolled back")
    expect(page.get_by_role("button", name="Roll back now")).to_have_count(0)


def test_windows_are_seen_the_line_is_stopped_and_the_policy_written(
    page: Page, axe: str, shop: Workspace
) -> None:
    page.goto("/w/demo/changes")
    page.get_by_role("link", name="Windows and policy").click()
    expect(page.get_by_text("always open: no window is written")).to_be_visible()
    page.get_by_label("Why").first.fill("black friday")
    page.get_by_label("Systems").fill("shop, desk")
    page.get_by_label("Hours").fill("many")
    page.get_by_role("button", name="Stop the line").click()
    expect(page.get_by_role("alert")).to_contain_text("hours are a number above 0")
    page.get_by_label("Why").first.fill("black friday")
    page.get_by_label("Systems").fill("shop, desk")
    page.get_by_role("button", name="Stop the line").click()
    freezes = page.get_by_role("region", name="Freezes")
    expect(freezes.get_by_text("shop, desk")).to_be_visible()
    assert ask(shop, "GET", "/api/v1/change-rules/freezes")[0]["systems"] == ["shop", "desk"]

    policy = page.get_by_label("What differs from what is shipped")
    kept = policy.input_value()
    policy.fill(kept + "\nwindows: {open: [{times: [{start_time: 9, end_time: '16:00'}]}]}")
    page.get_by_role("button", name="Put it in force").click()
    expect(page.get_by_role("alert")).to_contain_text("windows.open[0].times[0].start_time")
    expect(policy).to_have_value(kept + "\nwindows: {open: [{times: [{start_time: 9, end_time: '16:00'}]}]}")
    policy.fill(kept + "\nwindows: {open: [{times: [{start_time: '00:00', end_time: '24:00'}]}]}")
    page.get_by_role("button", name="Put it in force").click()
    expect(page.get_by_role("region", name="Policy", exact=True)).to_contain_text("version 2")
    seen(page, axe, "change-rules")

    page.get_by_role("button", name="Lift it: black friday").click()
    expect(freezes.get_by_text("None: nothing but windows")).to_be_visible()
    assert ask(shop, "GET", "/api/v1/change-rules/freezes") == []
