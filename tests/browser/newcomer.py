"""Somebody who follows the first sign-in link of a core and sets a password."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import Browser, BrowserContext, Page

from holdfast.commands import first_link
from holdfast.platform.settings import Settings
from running_core import CoreProcess

PASSWORD = "a long sentence that nobody guesses 7"


def newcomer(chromium: Browser, core: CoreProcess, **options: Any) -> tuple[BrowserContext, Page]:
    """A context of their own, and the page on which they have just signed in to the workspace `demo`."""
    settings = Settings(data=core.data, port=core.port)
    link = first_link(settings, "demo")
    assert link is not None
    context = chromium.new_context(
        base_url=settings.base_url, viewport={"width": 1440, "height": 900}, **options
    )
    context.set_default_timeout(60_000)
    page = context.new_page()
    sign_in(page, link)
    return context, page


def sign_in(page: Page, link: str) -> None:
    """Follows a first sign-in link and sets the password."""
    page.goto(link)
    page.get_by_role("button", name="Sign in").click()
    page.locator("input[name=password]").fill(PASSWORD)  # waits for the page that asks for it
    page.get_by_role("button", name="Set the password").click()


@contextmanager
def admins_browser(chromium: Browser, core: CoreProcess) -> Iterator[BrowserContext]:
    """An admin's browser, signed in to the workspace `demo`."""
    context, page = newcomer(chromium, core, bypass_csp=True)
    page.wait_for_url("**/w/demo/today*")
    page.close()
    yield context
    context.close()
