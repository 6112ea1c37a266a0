"""Somebody who follows the first sign-in link of a core and sets a password."""

from __future__ import annotations

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
    page.goto(link)
    page.locator("main button").first.click()
    for field in page.locator("input[type=password]").all():
        field.fill(PASSWORD)
    page.locator("main button").first.click()
    return context, page
