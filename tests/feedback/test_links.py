"""Links without a log-in: one call each, until they expire; they tell nothing else, and can be ended."""

from __future__ import annotations

import base64
import json
from datetime import timedelta
from typing import Any

import httpx2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.feedback.given import NOON
from tests.feedback.test_doors import send

from holdfast.feedback.actions.pacing import Pace
from holdfast.feedback.rules import links as rules
from holdfast.kernel.errors import Exhausted, Invalid, NotFound
from running_core import CoreProcess, Workspace

KEY = rules.derived(b"m" * 32, "lk_1")
CALL = "ab" * 8


def token(call: str | None = CALL, days: float = 1) -> str:
    return rules.signed(KEY, "lk_1", call, None, NOON + timedelta(days=days), "n")


def test_a_link_says_what_was_signed_until_it_expires() -> None:
    found = rules.opened(KEY, token(), NOON)
    assert (found.call_id, found.trace_id, found.expires_at) == (CALL, None, NOON + timedelta(days=1))
    with pytest.raises(NotFound):
        rules.opened(KEY, token(), NOON + timedelta(days=1))


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_no_changed_token_holds(data: st.DataObject) -> None:
    good = token()
    place = data.draw(st.integers(0, len(good) - 1))
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.="
    changed = good[:place] + data.draw(st.sampled_from(letters)) + good[place + 1 :]
    if changed == good:
        return
    with pytest.raises(NotFound):
        rules.opened(rules.derived(b"m" * 32, rules.key_of(changed)), changed, NOON)


@pytest.mark.parametrize("text", ["", "a", "a.b", "a.b.c", "..", "a.b.c.d", "x" * 2000, "ä.ö.ü"])
def test_what_is_no_token_is_nothing(text: str) -> None:
    with pytest.raises(NotFound):
        rules.opened(rules.derived(b"m" * 32, rules.key_of(text)), text, NOON)


def test_a_token_is_not_for_another_call() -> None:
    head, _, mac = token().rpartition(".")
    other = token("cd" * 8).rpartition(".")[0]
    assert head != other
    with pytest.raises(NotFound):
        rules.opened(KEY, f"{other}.{mac}", NOON)


@pytest.mark.parametrize(
    "origin",
    ["*", "shop.example", "https://shop.example/", "https://a.example b", "javascript:x", "https://", "'self'",
     "https://a.example; script-src *", "https://[::1"],
)  # fmt: skip
def test_what_is_no_site_cannot_be_named(origin: str) -> None:
    with pytest.raises(Invalid, match="no site"):
        rules.check_origins((origin,))


def test_a_pace_lets_so_many_through_in_its_window() -> None:
    pace = Pace()
    for _ in range(3):
        pace.admit([("a", 3, 60)], 10.0)
    with pytest.raises(Exhausted) as told:
        pace.admit([("a", 3, 60)], 30.0)
    assert told.value.retry_after == 41
    pace.admit([("b", 3, 60)], 30.0)
    pace.admit([("a", 3, 60)], 70.0)


def made(workspace: Workspace, **told: Any) -> dict[str, Any]:
    if not workspace.get("feedback/link-keys"):
        key = send(
            workspace, "POST", "feedback/link-keys", {"name": "mails", "origins": ["https://shop.example"]}
        )
        assert key.status_code == 201, key.text
    answer = send(workspace, "POST", "feedback/links", {"call_id": CALL, **told})
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


def path_of(link: dict[str, Any]) -> str:
    return "/f/" + str(link["token"])


def form(core: CoreProcess, path: str, **fields: str) -> httpx2.Response:
    return core.client.post(path, data=fields)


def test_whoever_has_a_link_answers_for_its_call_alone(core: CoreProcess, workspace: Workspace) -> None:
    link = made(workspace)
    page = core.client.get(path_of(link))
    assert page.status_code == 200
    assert "<script" not in page.text
    assert workspace.slug not in page.text
    assert "frame-ancestors 'none'" in page.headers["content-security-policy"]
    assert workspace.get("feedback")["items"] == [], "looking keeps nothing"
    answer = form(core, path_of(link), rating="-1", comment="wrong, write to me@home.example")
    assert "Thank you" in answer.text
    (kept,) = workspace.get("feedback")["items"]
    assert (kept["source"], kept["call_id"], kept["rating"]) == ("link", CALL, -1)
    assert kept["comment"] == "wrong, write to [EMAIL]"
    again = core.client.get(path_of(link))
    assert "answered already" in again.text
    assert "write to" not in again.text, "what was said is not shown to whoever has the link"
    form(core, path_of(link), rating="1")
    (kept,) = workspace.get("feedback")["items"]
    assert (kept["rating"], kept["comment"]) == (1, None), "the later answer replaces the earlier"


def test_a_token_names_no_workspace(workspace: Workspace) -> None:
    link = made(workspace)
    said = link["token"].split(".")[1]
    told = json.loads(base64.urlsafe_b64decode(said + "=" * (-len(said) % 4)))
    assert told.keys() == {"c", "t", "x", "n"}
    assert workspace.slug not in link["token"]


def test_the_frame_is_for_the_sites_of_the_key(core: CoreProcess, workspace: Workspace) -> None:
    link = made(workspace)
    frame = core.client.get(path_of(link) + "/widget")
    assert frame.headers["content-security-policy"].endswith("frame-ancestors https://shop.example")
    thanks = form(core, path_of(link) + "/widget", rating="1")
    assert "Tell us more" in thanks.text
    form(core, path_of(link) + "/widget", rating="1", comment="short and right")
    (kept,) = workspace.get("feedback")["items"]
    assert (kept["source"], kept["comment"]) == ("widget", "short and right")
    script = core.client.get("/feedback-widget.js")
    assert script.headers["content-type"].startswith("text/javascript")
    assert len(script.content) < 3000


def test_a_revoked_key_ends_its_links_at_once(core: CoreProcess, workspace: Workspace) -> None:
    link = made(workspace)
    (key,) = workspace.get("feedback/link-keys")
    assert send(workspace, "POST", f"feedback/link-keys/{key['id']}/revoke").status_code == 204
    assert core.client.get(path_of(link)).status_code == 404
    gone = form(core, path_of(link), rating="1")
    assert gone.status_code == 404
    assert workspace.get("feedback")["items"] == []
    assert send(workspace, "POST", "feedback/links", {"call_id": CALL}).status_code == 404


@pytest.mark.parametrize("sent", [{}, {"rating": "2"}, {"rating": "1", "comment": "x" * 5001}])
def test_an_answer_that_cannot_be_taken_says_why(
    core: CoreProcess, workspace: Workspace, sent: dict[str, str]
) -> None:
    answer = form(core, path_of(made(workspace)), **sent)
    assert answer.status_code == 422
    assert 'role="alert"' in answer.text
    assert workspace.get("feedback")["items"] == []


def test_one_link_is_not_answered_without_end(core: CoreProcess, workspace: Workspace) -> None:
    link = made(workspace)
    found = [form(core, path_of(link), rating="1").status_code for _ in range(31)]
    assert (found[:30], found[30]) == ([200] * 30, 429)
    assert form(core, path_of(made(workspace, trace_id="ab" * 16)), rating="1").status_code == 200


def test_a_large_answer_is_not_read(core: CoreProcess, workspace: Workspace) -> None:
    assert form(core, path_of(made(workspace)), rating="1", comment="x" * (70 << 10)).status_code == 413
