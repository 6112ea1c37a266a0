"""The inbox, the link page and the widget by hand in a browser; scripts are off where they need not be on."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect
from tests.browser.test_alerts import seen
from tests.feedback.test_doors import send
from tests.feedback.test_inbox import heard, suite

from browser.newcomer import admins_browser
from holdfast.platform.settings import Settings
from running_core import CoreProcess, Workspace

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(1200)]


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    core = CoreProcess(tmp_path_factory.mktemp("heard") / "data", min_free_bytes=1).start()
    yield core.workspace("demo", "ingest,read,content,operate,admin")
    core.stop()


@pytest.fixture(scope="module")
def signed_in(chromium: Browser, desk: Workspace) -> Iterator[BrowserContext]:
    with admins_browser(chromium, desk.core) as context:
        yield context


@pytest.fixture
def page(signed_in: BrowserContext) -> Iterator[Page]:
    made = signed_in.new_page()
    yield made
    made.close()


def test_the_inbox_is_read_and_an_item_set_aside(page: Page, axe: str, desk: Workspace) -> None:
    page.goto("/w/demo/feedback")
    expect(page.get_by_text("No feedback yet")).to_be_visible()
    seen(page, axe, "feedback-empty")
    suite(desk)
    heard(desk, rating=-1, comment="The opening hours are wrong.", correction="At ten.", label="facts")
    heard(desk, rating=1, comment="Quick and right.", author="u-2")
    for number in range(2):
        send(
            desk,
            "POST",
            "feedback",
            {"id": f"same-{number}", "call_id": "ff" * 8, "comment": "Too long.", "rating": -1},
        )
    send(desk, "POST", "feedback", {"session": "elsewhere", "score": 0.7})
    page.reload()
    rows = page.locator("tr[data-row]")
    expect(rows).to_have_count(4)
    expect(page.get_by_text("said 2 times")).to_be_visible()
    page.get_by_text("Over time, by route and by release").click()
    expect(page.get_by_role("rowheader", name="refunds")).to_be_visible()
    seen(page, axe, "feedback-inbox")
    page.get_by_role("complementary", name="Filters").get_by_title("positive: 2").click()
    expect(rows).to_have_count(2)
    row = page.get_by_role("row", name="Quick and right.")
    row.get_by_text("Do").click()
    seen(page, axe, "feedback-menu")
    row.get_by_role("button", name="Set it aside").click()
    expect(page.get_by_role("row", name="Quick and right.")).to_contain_text("set aside")


def test_whoever_has_a_link_answers_without_scripts(chromium: Browser, axe: str, desk: Workspace) -> None:
    settings = Settings(data=desk.core.data, port=desk.core.port)
    send(desk, "POST", "feedback/link-keys", {"name": "mails", "origins": []})
    link = send(desk, "POST", "feedback/links", {"call_id": "aa" * 8}).json()
    plain = chromium.new_context(java_script_enabled=False, base_url=settings.base_url)
    page = plain.new_page()
    page.goto(f"/f/{link['token']}")
    page.get_by_label("What was good or wrong").fill("All wrong.")
    page.get_by_role("button", name="Not good").click()
    expect(page.get_by_role("heading", name="Thank you")).to_be_visible()
    plain.close()
    (kept,) = desk.get("feedback", call_id="aa" * 8)["items"]
    assert (kept["rating"], kept["comment"]) == (-1, "All wrong.")
    looking = chromium.new_context(bypass_csp=True, base_url=settings.base_url)
    page = looking.new_page()
    for name, path in (("link", ""), ("widget", "/widget")):
        page.goto(f"/f/{link['token']}{path}")
        seen(page, axe, f"feedback-{name}")
    page.goto("/f/no.such.link")
    expect(page.get_by_role("heading", name="This link does not hold")).to_be_visible()
    seen(page, axe, "feedback-gone")
    looking.close()


class Shop(BaseHTTPRequestHandler):
    """Another site: its page names the token of its address."""

    home = ""

    def do_GET(self) -> None:
        place = f'<div data-holdfast-feedback="{self.path[1:]}"></div>'
        text = (
            f'<!doctype html><title>Shop</title>{place}<script src="{self.home}/feedback-widget.js"></script>'
        )
        self.send_response(200)
        self.send_header("content-type", "text/html")
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@pytest.fixture
def shop(desk: Workspace) -> Iterator[str]:
    Shop.home = f"http://127.0.0.1:{desk.core.port}"
    server = ThreadingHTTPServer(("127.0.0.1", 0), Shop)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_the_widget_stands_on_the_sites_of_its_key_alone(
    chromium: Browser, desk: Workspace, shop: str
) -> None:
    shown = {}
    for name, origins in (("named", [shop]), ("other", ["https://elsewhere.example"])):
        key = send(desk, "POST", "feedback/link-keys", {"name": name, "origins": origins}).json()
        made = {"call_id": "bb" * 8, "link_key": key["id"]}
        token = send(desk, "POST", "feedback/links", made).json()["token"]
        context = chromium.new_context()
        page = context.new_page()
        page.goto(f"{shop}/{token}")
        expect(page.locator("iframe")).to_have_count(1)
        frame = page.frame_locator("iframe")
        if name == "named":
            frame.get_by_role("button", name="Good", exact=True).click()
            expect(frame.get_by_role("heading", name="Thank you")).to_be_visible()
        page.wait_for_load_state("networkidle")
        shown[name] = frame.get_by_role("heading").count()
        context.close()
    assert shown == {"named": 1, "other": 0}, "a browser shows the frame where the key says so alone"
    (kept,) = desk.get("feedback", call_id="bb" * 8)["items"]
    assert (kept["source"], kept["rating"]) == ("widget", 1)
