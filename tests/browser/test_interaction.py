"""Work without a mouse: search, rows, places, help, menus; and what changes in place."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

pytestmark = pytest.mark.browser


@pytest.fixture
def page(chromium: Browser, site: str) -> Iterator[Page]:
    context = chromium.new_context(
        base_url=site, viewport={"width": 1280, "height": 800}, color_scheme="light"
    )
    page = context.new_page()
    page.goto("/w/acme/calls?system=hr-copilot&range=7d")
    yield page
    context.close()


def focused_row(page: Page) -> str:
    return str(page.evaluate("document.activeElement.closest('[data-row]')?.id ?? ''"))


def test_slash_goes_to_the_search_and_escape_leaves_it(page: Page) -> None:
    page.keyboard.press("/")
    search = page.get_by_role("searchbox", name="Search calls")
    expect(search).to_be_focused()
    expect(search).to_have_value("")
    page.keyboard.type("jk?")  # letters typed into a field are text, not shortcuts
    expect(search).to_have_value("jk?")
    page.keyboard.press("Escape")
    expect(search).not_to_be_focused()


def test_j_and_k_move_and_enter_opens(page: Page) -> None:
    page.keyboard.press("j")
    first = focused_row(page)
    page.keyboard.press("j")
    second = focused_row(page)
    assert first.startswith("call-") and second.startswith("call-") and first != second
    page.keyboard.press("k")
    assert focused_row(page) == first
    page.keyboard.press("Enter")
    page.wait_for_url("**/traces/**")
    assert "system=hr-copilot" in page.url and "range=7d" in page.url and "span=" in page.url


def test_g_then_a_letter_goes_there_and_keeps_the_scope(page: Page) -> None:
    page.keyboard.press("g")
    page.keyboard.press("s")
    page.wait_for_url("**/settings?*")
    assert "system=hr-copilot" in page.url and "range=7d" in page.url
    page.keyboard.press("g")
    page.keyboard.press("c")
    page.wait_for_url("**/calls?*")


def test_question_mark_shows_the_shortcuts_and_escape_closes_them(page: Page) -> None:
    page.keyboard.press("?")
    dialog = page.get_by_role("dialog", name="Keyboard shortcuts")
    expect(dialog).to_be_visible()
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()


def test_menu_opens_by_keyboard_and_escape_gives_the_focus_back(page: Page) -> None:
    summary = page.locator("details.menu > summary", has_text="System")
    summary.focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="All systems")).to_be_focused()
    page.keyboard.press("Escape")
    expect(summary).to_be_focused()
    expect(page.get_by_role("link", name="All systems")).to_be_hidden()


def test_selectors_keep_the_other_parameters(page: Page) -> None:
    page.locator("details.menu > summary", has_text="Environment").click()
    page.get_by_role("link", name="staging").first.click()
    page.wait_for_url("**environment=staging**")
    assert "system=hr-copilot" in page.url and "range=7d" in page.url


def test_custom_range_replaces_the_preset(page: Page) -> None:
    page.locator("details.menu > summary", has_text="Time").click()
    page.get_by_label("From (UTC)").fill("2026-11-20T08:00:00Z")
    page.get_by_role("button", name="Use this range").click()
    page.wait_for_url("**from=2026-11-20**")
    assert "system=hr-copilot" in page.url and "range=" not in page.url


def test_theme_is_turned_and_remembered(page: Page) -> None:
    before = page.evaluate("getComputedStyle(document.body).color")
    page.keyboard.press("t")
    assert page.evaluate("getComputedStyle(document.body).color") != before
    page.reload()
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"


def test_skip_link_is_first_and_leads_to_the_page(page: Page) -> None:
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the page")).to_be_focused()
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"


def test_live_tail_puts_new_calls_on_top(page: Page) -> None:
    before = page.locator("#call-rows tr").count()
    page.keyboard.press("l")
    page.wait_for_url("**live=1**")
    page.wait_for_selector("#call-rows tr.new")
    assert page.locator("#call-rows tr").count() > before
    expect(page.locator("#call-rows tr").first).to_have_class("new")
    page.keyboard.press("l")
    page.wait_for_function("!document.querySelector('#tail')")


def test_figures_and_facets_take_the_place_of_skeletons(page: Page) -> None:
    page.goto("/w/acme/calls?lazy=1&system=hr-copilot")
    link = page.get_by_role("link", name="leave-balance").first
    expect(link).to_be_visible()
    assert "/w/acme/calls?" in str(link.get_attribute("href")) and "system=hr-copilot" in str(
        link.get_attribute("href")
    )
    expect(page.locator("#summary .tile-value").first).to_have_text("20,444")
    expect(page.locator(".skeleton")).to_have_count(0)


def test_choosing_a_span_changes_the_page_in_place(page: Page) -> None:
    page.goto("/w/acme/traces/5b8e?span=aa")
    page.evaluate("window.stayed = true")
    page.locator("#span-a6").focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**span=a6**")
    expect(page.locator("#span-a6")).to_have_attribute("aria-current", "true")
    expect(page.locator("#span-a6")).to_be_focused()  # the keyboard's place survives the change
    expect(page.locator("#span-aa")).not_to_have_attribute("aria-current", "true")
    page.get_by_role("link", name="Tokens and cost").click()
    expect(page.get_by_role("cell", name="input, cache read")).to_be_visible()
    assert "span=a6" in page.url and "tab=tokens" in page.url
    assert page.evaluate("window.stayed") is True
    page.go_back()
    page.wait_for_url(lambda url: "tab=tokens" not in url)


def test_malformed_content_is_shown_as_it_is(page: Page) -> None:
    page.goto("/w/acme/traces/5b8e?span=aa&state=odd")
    expect(page.get_by_text("a bare text")).to_be_visible()
    expect(page.get_by_text("<b>bold</b>")).to_be_visible()
    expect(page.get_by_text("30,000 more characters")).to_be_attached()


def test_a_span_is_found_by_typing(page: Page) -> None:
    page.goto("/w/acme/traces/5b8e?span=aa")
    page.keyboard.press("/")
    page.keyboard.type("leave_balance")
    expect(page.locator(".wf-row:visible")).to_have_count(1)


def test_attributes_are_found_by_typing(page: Page) -> None:
    page.goto("/w/acme/traces/5b8e?span=aa&tab=attributes")
    page.get_by_label("Find in attributes").fill("finish")
    expect(page.locator("#attributes tbody tr:visible")).to_have_count(1)


def test_copy_button_copies_the_text(chromium: Browser, site: str) -> None:
    context = chromium.new_context(base_url=site, permissions=["clipboard-read", "clipboard-write"])
    page = context.new_page()
    page.goto("/w/acme/calls?nothing=1")
    page.get_by_role("button", name="Copy the header").click()
    expect(page.locator("#said")).to_have_text("Copied")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied == "OTEL_EXPORTER_OTLP_HEADERS=authorization=Bearer%20<key>"
    context.close()


def test_chart_draws_and_a_drag_narrows_the_range(page: Page) -> None:
    page.goto("/w/acme/gallery?range=7d")
    box = page.locator("ops-chart .u-over").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 100, box["y"] + 20)
    page.mouse.down()
    page.mouse.move(box["x"] + 300, box["y"] + 20, steps=4)
    page.mouse.up()
    page.wait_for_url("**from=**")
    assert "to=" in page.url and "range=" not in page.url


def test_rail_opens_on_a_narrow_screen(chromium: Browser, site: str) -> None:
    page = chromium.new_page(viewport={"width": 400, "height": 800})
    page.goto(site + "/w/acme/calls")
    link = page.get_by_role("navigation", name="Rooms").get_by_role("link", name="Settings")
    expect(link).to_be_hidden()
    page.get_by_role("button", name="Rooms").click()
    expect(link).to_be_visible()
    page.keyboard.press("Escape")
    expect(link).to_be_hidden()
    page.close()


def test_pages_work_without_scripts(chromium: Browser, site: str) -> None:
    context = chromium.new_context(java_script_enabled=False, base_url=site)
    page = context.new_page()
    page.goto("/w/acme/calls")
    page.get_by_role("link", name="leave-balance").first.click()
    assert "route=leave-balance" in page.url
    page.goto("/w/acme/traces/5b8e?span=aa")
    page.get_by_role("link", name="Tokens and cost").click()
    expect(page.get_by_role("cell", name="input, uncached")).to_be_visible()
    context.close()
