"""The whole product as a newcomer meets it: one command, the printed link, a switch that breaks something for real."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest
from playwright.sync_api import Browser, Page, expect

from browser.newcomer import sign_in
from holdfast.commands import create_key
from holdfast.platform.settings import Settings
from running_core import until
from stand import free_port

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.demo, pytest.mark.timeout(1200)]
ROOT = Path(__file__).resolve().parents[2]
BOUND_SECONDS = 30.0
SHOTS = ROOT / "screenshots"


@dataclass(frozen=True)
class Desk:
    """A browser that is signed in, and a reader of the same workspace."""

    page: Page
    base: str
    reader: httpx2.Client

    def input_tokens(self) -> list[int]:
        """What the latest real requests of the sample application brought along, the newest first."""
        answer = self.reader.get("/api/v1/calls?system=hr-assistant&operation=chat&sample=false&limit=20")
        assert answer.status_code == 200, answer.text
        return [
            (one["input_uncached_tokens"] or 0) + (one["input_cache_read_tokens"] or 0)
            for one in answer.json()["calls"]
        ]


@pytest.fixture(scope="module")
def desk(chromium: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """Signed in at `holdfast up --demo` by the link that it prints."""
    data, port = tmp_path_factory.mktemp("up") / "data", free_port()
    command = [sys.executable, "-m", "holdfast", "up", "--demo", "--grpc-port", str(free_port())]
    command += ["--gateway-port", str(free_port())]
    command += ["--data", str(data), "--port", str(port)]
    process = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    )
    assert process.stdout is not None
    link = None
    for line in process.stdout:
        link = re.search(r"^ +(http://127\.0\.0\.1:\d+/\S+)", line)
        if link is not None:
            break
    assert link is not None, "no sign-in link was printed"
    rest = threading.Thread(target=process.stdout.read, daemon=True)  # so that the pipe never fills
    rest.start()
    context = chromium.new_context(viewport={"width": 1440, "height": 900})
    context.set_default_timeout(60_000)
    page = context.new_page()
    sign_in(page, link.group(1))
    page.wait_for_url("**/w/demo/today*")
    key = create_key(Settings(data=data), "demo", "read", "test")
    base = f"http://127.0.0.1:{port}"
    with httpx2.Client(base_url=base, timeout=60, headers={"authorization": f"Bearer {key}"}) as reader:
        yield Desk(page, base, reader)
    context.close()
    os.kill(process.pid, signal.SIGINT)  # Ctrl-C
    assert process.wait(60) == 0


def test_a_prompt_that_grew_is_seen_in_the_tokens(desk: Desk) -> None:
    until(lambda: bool(desk.input_tokens()), 120, "a first call of the sample application")
    usual = max(desk.input_tokens())
    began = time.monotonic()
    desk.page.goto(f"{desk.base}/w/demo/demo")
    desk.page.get_by_role("button", name=re.compile("^Break: .*prompt", re.IGNORECASE)).click()
    expect(desk.page.get_by_text("broken").first).to_be_visible()
    SHOTS.mkdir(exist_ok=True)
    desk.page.screenshot(path=str(SHOTS / "demo-broken.png"))
    took = time.monotonic() - began
    print(f"task break-the-prompt: {took:.2f} s")
    assert took < BOUND_SECONDS
    until(lambda: desk.input_tokens()[0] > usual, 120, "a call with more input than any before")
    desk.page.get_by_role("link", name="Watch the input tokens").click()
    desk.page.wait_for_url("**/w/demo/calls*")
    desk.page.goto(f"{desk.base}/w/demo/demo")
    desk.page.get_by_role("button", name=re.compile("^Mend: .*prompt", re.IGNORECASE)).click()
    expect(
        desk.page.get_by_role("button", name=re.compile("^Break: .*prompt", re.IGNORECASE))
    ).to_be_visible()
