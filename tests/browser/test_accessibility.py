"""Every page, light and dark, against axe; on narrow screens; under the product's content security policy."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, Page

from browser.preview import PAGES

pytestmark = pytest.mark.browser


def violations(page: Page) -> list[str]:
    """What axe finds against WCAG 2 A and AA: rule, first places."""
    page.wait_for_function("!window.htmx || !document.querySelector('.htmx-request')")
    found = page.evaluate(
        "async () => (await axe.run(document, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa'],"
        " resultTypes: ['violations']})).violations"
    )
    return [
        f"{one['id']}: {one['nodes'][0]['html'][:160]} {one['nodes'][0].get('failureSummary', '')[:300]}"
        for one in found
    ]


@pytest.mark.rotating(3)
@pytest.mark.parametrize("path", PAGES)
def test_axe_finds_nothing(chromium: Browser, site: str, axe: str, path: str) -> None:
    # axe is injected past the policy; the policy itself is tested below.
    context = chromium.new_context(bypass_csp=True, viewport={"width": 1280, "height": 800})
    page = context.new_page()
    page.emulate_media(color_scheme="light", reduced_motion="reduce")  # no colour is on its way to another
    page.goto(site + path)
    page.evaluate(axe)
    found, inks = {}, set()
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]
        inks.add(page.evaluate("getComputedStyle(document.body).color"))
        found[scheme] = violations(page)
    context.close()
    assert found == {"light": [], "dark": []}
    assert len(inks) == 2, "the page was really looked at in both"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_sees_a_fault_in_either_scheme(chromium: Browser, site: str, axe: str, scheme: str) -> None:
    context = chromium.new_context(bypass_csp=True)
    page = context.new_page()
    page.emulate_media(color_scheme="light", reduced_motion="reduce")
    page.goto(site + "/w/acme/calls")
    page.evaluate(axe)
    page.add_style_tag(
        content=f"@media (prefers-color-scheme: {scheme}) {{ h1 {{ color: #808080 !important }} }}"
    )
    seen = {}
    for one in ("light", "dark"):
        page.emulate_media(color_scheme=one, reduced_motion="reduce")  # type: ignore[arg-type]
        seen[one] = [fault.split(":")[0] for fault in violations(page)]
    other = "dark" if scheme == "light" else "light"
    assert (seen[scheme], seen[other]) == (["color-contrast"], [])
    context.close()


def test_axe_sees_a_seeded_fault(chromium: Browser, site: str, axe: str) -> None:
    context = chromium.new_context(bypass_csp=True)
    page = context.new_page()
    page.goto(site + "/w/acme/calls")
    page.evaluate("document.querySelector('h1').style.color = '#c8c8c8'")
    page.evaluate("document.querySelector('input[type=search]').removeAttribute('aria-label')")
    page.evaluate("document.querySelector('input[type=search]').removeAttribute('placeholder')")
    page.evaluate(axe)
    assert {found.split(":")[0] for found in violations(page)} == {"color-contrast", "label"}
    context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_in_what_opens(chromium: Browser, site: str, axe: str, scheme: str) -> None:
    context = chromium.new_context(
        color_scheme=scheme, bypass_csp=True, viewport={"width": 1280, "height": 800}
    )  # type: ignore[arg-type]
    page = context.new_page()
    page.goto(site + "/w/acme/calls")
    page.evaluate(axe)
    for index in range(page.locator("details.menu").count()):
        page.evaluate(
            "n => document.querySelectorAll('details.menu').forEach((m, i) => { m.open = i === n })", index
        )
        assert violations(page) == []
    page.keyboard.press("?")
    assert violations(page) == []
    context.close()


@pytest.mark.rotating(3)
@pytest.mark.parametrize("path", PAGES)
def test_page_never_scrolls_sideways(chromium: Browser, site: str, path: str) -> None:
    page = chromium.new_page()
    page.goto(site + path)
    for width in (320, 400, 1280):
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") <= width, f"{width} px"
    page.set_viewport_size({"width": 400, "height": 800})
    for menu in page.locator("details.menu").all():
        menu.evaluate("menu => { menu.open = true }")
        box = menu.locator(".menu-body").bounding_box()
        assert box is not None and box["x"] >= 0 and box["x"] + box["width"] <= 400
        menu.evaluate("menu => { menu.open = false }")
    page.close()


@pytest.mark.rotating(3)
@pytest.mark.parametrize("path", [path for path in PAGES if path != "/missing"])
def test_policy_is_kept_and_the_console_stays_silent(chromium: Browser, site: str, path: str) -> None:
    page = chromium.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.goto(site + path)
    page.wait_for_load_state("networkidle") if "live=1" not in path else page.wait_for_selector("tr.new")
    assert said == []
    page.close()


def test_policy_would_be_noticed(chromium: Browser, site: str) -> None:
    page = chromium.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.goto(site + "/w/acme/calls")
    page.evaluate("document.body.insertAdjacentHTML('beforeend', '<p style=\"color:red\">x</p>')")
    assert any("Content Security Policy" in text for text in said)
    page.close()
