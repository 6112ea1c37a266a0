"""What people come for, done by hand in a browser on a million calls (an eighth of that in `make test`): signed in by the
first link, on the real core.

Each task is timed from the first click to the answer on the screen; the times are printed, and a picture of every
page is kept under screenshots/. The bound is generous: it catches what hangs, not what is slow on a busy machine.
"""

from __future__ import annotations

import json
import re
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from demo.history.generate import spans
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from playwright.sync_api import Browser, Page, expect

from browser.newcomer import newcomer
from running_core import CoreProcess, Workspace

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(1500)]

DAYS = 7
DOUBLINGS, LEAST_CALLS = 6, 1_000_000
QUICK_DOUBLINGS, QUICK_CALLS = 3, 125_000
BOUND_SECONDS = 60.0
SHOTS = Path(__file__).parents[2] / "screenshots"
SYSTEM = "hr-assistant"
PHRASE = "sabbatical in Lisbon"


class Desk:
    """A signed-in person at a browser, with a stop-watch."""

    def __init__(self, page: Page, workspace: Workspace) -> None:
        self.page = page
        self.workspace = workspace
        self.faults: list[str] = []
        page.on("console", lambda said: self.faults.append(said.text) if said.type == "error" else None)
        page.on("pageerror", lambda error: self.faults.append(str(error)))

    def go(self, path: str) -> None:
        """Opens a page of the workspace and waits until all of it is there."""
        self.page.goto(f"/w/demo/{path}")
        self.settle()

    def settle(self) -> None:
        """Waits until what is fetched afterwards has come."""
        self.page.wait_for_load_state("networkidle", timeout=60_000)
        expect(self.page.locator(".skeleton")).to_have_count(0, timeout=60_000)

    def shot(self, name: str) -> None:
        """Keeps a picture of the page."""
        SHOTS.mkdir(exist_ok=True)
        self.page.screenshot(path=str(SHOTS / f"{name}.png"))

    @contextmanager
    def task(self, name: str) -> Iterator[None]:
        """Times a task, keeps a picture of where it ended."""
        began = time.monotonic()
        yield
        took = time.monotonic() - began
        self.shot(name)
        print(f"task {name}: {took:.2f} s")
        assert took < BOUND_SECONDS, f"{name} took {took:.1f} s"


def failing_conversation(now_ns: int) -> ExportTraceServiceRequest:
    """One conversation that failed: the provider answered 500 to a question with an unmistakable phrase."""
    request = ExportTraceServiceRequest()
    resource = request.resource_spans.add()
    for name, value in (("service.name", SYSTEM), ("deployment.environment.name", "production")):
        attribute = resource.resource.attributes.add(key=name)
        attribute.value.string_value = value
    scope = resource.scope_spans.add()
    scope.scope.name = "opentelemetry.instrumentation.genai.openai"
    trace_id = secrets.token_bytes(16)
    said = json.dumps([{"role": "user", "parts": [{"type": "text", "content": f"May I take a {PHRASE}?"}]}])
    agent, call = secrets.token_bytes(8), secrets.token_bytes(8)
    for span_id, parent, name, texts in (
        (agent, b"", "invoke_agent policy-agent", {"gen_ai.operation.name": "invoke_agent"}),
        (
            call,
            agent,
            "chat gpt-4o-mini",
            {
                "gen_ai.operation.name": "chat",
                "gen_ai.provider.name": "openai",
                "gen_ai.request.model": "gpt-4o-mini",
                "gen_ai.conversation.id": "conversation-that-failed",
                "holdfast.tenant": "acme-logistics",
                "gen_ai.input.messages": said,
                "error.type": "500",
            },
        ),
    ):
        span = scope.spans.add(trace_id=trace_id, span_id=span_id, parent_span_id=parent, name=name, kind=3)
        span.start_time_unix_nano, span.end_time_unix_nano = now_ns - 2_000_000_000, now_ns - 1_000_000_000
        span.status.code = 2
        span.status.message = "The upstream ran out of memory"
        for key, value in texts.items():
            span.attributes.add(key=key).value.string_value = value
    return request


@pytest.fixture(scope="module")
def core(tmp_path_factory: pytest.TempPathFactory, soak: bool) -> Iterator[Workspace]:
    """A core over all those calls, in the workspace `demo`."""
    doublings, least = (DOUBLINGS, LEAST_CALLS) if soak else (QUICK_DOUBLINGS, QUICK_CALLS)
    data = tmp_path_factory.mktemp("big") / "data"
    core = CoreProcess(data).start()
    workspace = core.workspace("demo")
    for request in spans(days=DAYS):
        assert workspace.post(request.SerializeToString()).status_code == 200
    assert workspace.count()[0] * 2**doublings >= least
    core.stop()
    maker = Path(__file__).with_name("big_store.py")
    subprocess.run([sys.executable, maker, str(data / "columns"), str(doublings)], check=True, timeout=1200)
    core.start()
    yield workspace
    core.stop()


@pytest.fixture(scope="module")
def desk(chromium: Browser, core: Workspace) -> Iterator[Desk]:
    """Somebody who followed the first sign-in link and set a password."""
    context, page = newcomer(chromium, core.core, accept_downloads=True)
    page.wait_for_url("**/w/demo/today*")
    yield Desk(page, core)
    context.close()


def test_so_many_calls_are_there(desk: Desk, soak: bool) -> None:
    assert desk.workspace.count()[0] >= (LEAST_CALLS if soak else QUICK_CALLS)


def test_find_the_slowest_call_of_a_tenant(desk: Desk) -> None:
    desk.go("calls?range=30d")
    with desk.task("slowest-call-of-a-tenant"):
        desk.page.locator(".facet-list a", has_text="corvid-labs").first.click()
        desk.settle()
        desk.page.locator("thead a", has_text="Latency").click()
        desk.settle()
        slowest = desk.page.locator("#call-rows tr").first
        expect(slowest).to_contain_text("corvid-labs")
        slowest.locator("a.row-link").click()
        desk.page.wait_for_url("**/traces/**")
        expect(desk.page.locator(".waterfall")).to_be_visible()
    answer = desk.workspace.get("calls", tenant="corvid-labs", order="duration", limit=1)["calls"][0]
    assert answer["trace_id"] in desk.page.url


def test_find_why_a_conversation_failed(desk: Desk) -> None:
    body = failing_conversation(time.time_ns()).SerializeToString()
    assert desk.workspace.post(body).status_code == 200
    desk.go("calls?range=1h")
    with desk.task("why-a-conversation-failed"):
        desk.page.keyboard.press("/")
        desk.page.keyboard.type("conversation-that-failed")
        desk.page.keyboard.press("Enter")
        desk.settle()
        expect(desk.page.locator("#call-rows tr")).to_have_count(1)
        desk.page.locator("a.row-link").click()
        expect(desk.page.get_by_text("The upstream ran out of memory").first).to_be_visible()
        expect(desk.page.get_by_text(PHRASE).first).to_be_visible()


def test_find_who_asked_by_words(desk: Desk) -> None:
    desk.go("calls?range=30d")
    with desk.task("words-in-a-conversation"):
        desk.page.keyboard.press("/")
        desk.page.keyboard.type(PHRASE)
        desk.page.keyboard.press("Enter")
        desk.settle()
        expect(desk.page.locator("#call-rows tr")).to_have_count(1)


def test_find_what_a_trace_cost_and_at_which_price(desk: Desk) -> None:
    desk.go("calls?range=30d&model=claude-sonnet-4-5-20250929&sort=-cost_amount")
    with desk.task("what-a-trace-cost"):
        desk.page.locator("a.row-link").first.click()
        desk.page.get_by_role("link", name="Tokens and cost").click()
        expect(desk.page.get_by_text(re.compile("genai-prices@")).first).to_be_visible()


def test_keep_a_view_and_come_back_to_it(desk: Desk) -> None:
    desk.go("calls?range=7d&status=error&tenant=acme-logistics")
    with desk.task("keep-a-view"):
        desk.page.get_by_text("Views", exact=True).click()
        desk.page.get_by_label("Save this view as").fill("Acme errors")
        desk.page.get_by_role("button", name="Save").click()
        desk.settle()
    desk.go("calls")
    with desk.task("open-a-view"):
        desk.page.get_by_text("Views", exact=True).click()
        desk.page.get_by_role("link", name="Acme errors").click()
        desk.settle()
    assert "status=error" in desk.page.url and "tenant=acme-logistics" in desk.page.url


def test_watch_calls_come_in(desk: Desk) -> None:
    desk.go("calls?range=15m&live=1")
    with desk.task("live-tail"):
        assert (
            desk.workspace.post(failing_conversation(time.time_ns()).SerializeToString()).status_code == 200
        )
        expect(desk.page.locator("#call-rows tr.new").first).to_be_visible(timeout=30_000)


def test_export_what_is_shown(desk: Desk) -> None:
    desk.go("calls?range=1h&system=hr-assistant")
    with desk.task("export-csv"):
        desk.page.get_by_text("Export", exact=True).click()
        with desk.page.expect_download() as download:
            desk.page.get_by_role("link", name="CSV").click()
        lines = Path(download.value.path()).read_text().splitlines()
    assert lines[0].startswith("id,trace_id,span_id,started_at") and len(lines) > 1


def test_make_a_key_and_use_it(desk: Desk) -> None:
    desk.go("settings/keys")
    with desk.task("make-a-key"):
        desk.page.get_by_label("What it is for").fill("Billing service")
        desk.page.get_by_role("button", name="Make the key").click()
        shown = desk.page.locator("[role=status] code, [role=status] pre").first
        expect(shown).to_contain_text("hf_")
    key = re.search(r"hf_[a-z2-7]{26,}", shown.inner_text())
    assert key is not None
    posted = Workspace(desk.workspace.core, "demo", key.group()).post(b"")
    assert posted.status_code == 200
    desk.go("settings/keys")
    expect(desk.page.get_by_text(key.group())).to_have_count(0)


def test_register_a_system(desk: Desk) -> None:
    desk.go("settings/systems")
    with desk.task("register-a-system"):
        for label, text in (
            ("Name in telemetry", "hr-assistant"),
            ("Name", "HR assistant"),
            ("Owner", "Olivia Example"),
            ("Sponsor", "Sam Example"),
            ("Escalation contact", "oncall@example.com"),
            ("Purpose", "Answers questions about HR policies"),
        ):
            desk.page.get_by_label(label, exact=True).fill(text)
        desk.page.get_by_role("button", name="Add the system").click()
        expect(desk.page.locator("table").get_by_text("HR assistant")).to_be_visible()


def test_name_the_workspace_and_its_zone(desk: Desk) -> None:
    desk.go("settings")
    with desk.task("set-the-time-zone"):
        desk.page.get_by_label("Time zone").fill("Europe/Berlin")
        desk.page.get_by_role("button", name="Save").click()
        expect(desk.page.get_by_label("Time zone")).to_have_value("Europe/Berlin")
        desk.settle()


def test_add_an_environment(desk: Desk) -> None:
    desk.go("settings/environments")
    with desk.task("add-an-environment"):
        desk.page.get_by_label("Name in telemetry").fill("staging")
        desk.page.get_by_label("Name (optional)").fill("Staging")
        desk.page.get_by_role("button", name="Add the environment").click()
        expect(desk.page.get_by_role("cell", name="Staging", exact=True)).to_be_visible()


def test_invite_a_member_who_may_not_read_content(desk: Desk) -> None:
    desk.go("settings/members")
    with desk.task("invite-a-member"):
        desk.page.get_by_label("E-mail").fill("otto@example.com")
        desk.page.get_by_label("Role", exact=True).select_option("operator")
        desk.page.locator("main form button").last.click()
        expect(desk.page.locator("table").get_by_text("otto@example.com")).to_be_visible()
    expect(desk.page.locator("[role=status]").first).to_contain_text("http://127.0.0.1:")


def test_stop_keeping_what_people_write(desk: Desk) -> None:
    desk.go("settings/content")
    with desk.task("stop-keeping-content"):
        desk.page.get_by_label("Prompts and answers").select_option("off")
        desk.page.get_by_label("Content is kept, in days").fill("7")
        desk.page.get_by_role("button", name="Save").click()
        expect(desk.page.get_by_label("Content is kept, in days")).to_have_value("7")
        desk.settle()
    desk.page.get_by_label("Prompts and answers").select_option("redacted")
    desk.page.get_by_role("button", name="Save").click()
    expect(desk.page.get_by_label("Prompts and answers")).to_have_value("redacted")


def test_price_a_model_of_our_own(desk: Desk) -> None:
    desk.go("settings/prices")
    with desk.task("price-a-model"):
        desk.page.get_by_label("Provider").fill("acme")
        desk.page.get_by_label("Model", exact=True).fill("acme-large*")
        desk.page.get_by_label("From", exact=True).fill("2026-01-01")
        desk.page.get_by_label("Input, uncached (optional)").fill("1.50")
        desk.page.get_by_label("Output (optional)").fill("6")
        desk.page.get_by_role("button", name="Add the price").click()
        expect(desk.page.locator("table").get_by_text("acme-large*")).to_be_visible()


def test_find_which_tenant_drives_the_cost_of_a_model(desk: Desk) -> None:
    desk.go("cost?range=7d")
    with desk.task("which-tenant-drives-the-cost"):
        dearest = desk.page.locator("tbody tr[data-row]").first
        dearest.hover()
        dearest.locator("a.only").click()
        desk.page.get_by_role("navigation", name="Cost by").get_by_role("link", name="Tenant").click()
        desk.page.wait_for_url("**by=tenant*")
        expect(desk.page.locator("tbody tr[data-row]").first).to_contain_text("%")
    desk.settle()
    ranked = desk.workspace.get("metrics/query", measure="cost", group_by="tenant")["rows"]
    assert ranked, "the API answers the same question"


def test_find_when_a_route_was_slow(desk: Desk) -> None:
    desk.go("metrics?range=7d&measure=latency_p95")
    with desk.task("when-a-route-was-slow"):
        desk.page.locator("summary", has_text=re.compile("^By")).click()
        desk.page.locator(".menu-body a", has_text=re.compile("^Route$")).first.click()
        desk.page.wait_for_url("**group_by=route*")
        desk.page.get_by_role("link", name="By step").click()
        desk.page.wait_for_url("**view=steps*")
        expect(desk.page.locator("tbody tr[data-row]").first).to_be_visible()
        desk.page.locator("tbody a.row-link").first.click()
        desk.page.wait_for_url("**/w/demo/calls?*")


def test_open_the_dashboard(desk: Desk) -> None:
    with desk.task("open-the-dashboard"):
        desk.page.goto("/w/demo/dashboards?range=7d")
        expect(desk.page.locator("ops-chart canvas").nth(5)).to_be_visible()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_page_of_the_product_is_accessible(desk: Desk, axe: str, theme: str) -> None:
    """axe on the wired pages, beside the sweep over the preview's invented data."""
    trace = desk.workspace.get("calls", limit=1)["calls"][0]["trace_id"]
    paths = ["calls?range=24h", f"traces/{trace}", "settings", "settings/systems", "settings/environments"]
    paths += ["metrics?range=24h", "dashboards?range=24h", "cost?range=24h"]
    paths += ["settings/members", "settings/keys", "settings/content", "settings/prices"]
    found: dict[str, list[str]] = {}
    context = desk.page.context.browser.new_context(  # type: ignore[union-attr]
        storage_state=desk.page.context.storage_state(),
        bypass_csp=True,
        color_scheme=theme,  # type: ignore[arg-type]
        viewport={"width": 1280, "height": 800},
    )
    page = context.new_page()
    for path in paths:
        page.goto(f"http://127.0.0.1:{desk.workspace.core.port}/w/demo/{path}")
        page.wait_for_load_state("networkidle", timeout=60_000)
        expect(page.locator(".skeleton")).to_have_count(0, timeout=60_000)
        page.screenshot(path=str(SHOTS / f"{theme}-{path.split('?')[0].replace('/', '-')[:40]}.png"))
        page.evaluate(axe)
        broken = page.evaluate(
            "axe.run({runOnly: ['wcag2a', 'wcag2aa']}).then(r => r.violations.map(v => v.id + ': ' + v.nodes[0].target))"
        )
        if broken:
            found[path] = broken
    context.close()
    assert found == {}


def test_the_console_stayed_silent(desk: Desk) -> None:
    assert desk.faults == []
