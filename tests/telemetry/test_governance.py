"""Retention, legal holds and the erasing of persons, in a real core: what must go is gone, what must stay stays."""

from __future__ import annotations

import json
import os
import time
import urllib.error
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from commands.core_process import DAY, CoreProcess, holdfast, span

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]
CANARY = "zz-canary-8c1f20a7@people.example"
TALK = json.dumps([{"role": "user", "parts": [{"type": "text", "content": "the talk of bellwether-5521"}]}])


class House:
    """A core with one workspace, and a key that may do everything in it."""

    def __init__(self, data: Path) -> None:
        made = holdfast(
            "key", "create", "--workspace", "acme", "--scopes", "ingest,read,content,admin", data=data
        )
        self.key = made.stdout.strip()
        self.core = CoreProcess(data).start()

    def get(self, path: str) -> Any:
        return self.core.request(path, self.key)

    def post(self, path: str, **body: Any) -> Any:
        return self.core.request(path, self.key, json.dumps(body).encode())

    def refused(self, path: str, **body: Any) -> tuple[int, str]:
        with pytest.raises(urllib.error.HTTPError) as error:
            self.post(path, **body)
        return error.value.code, json.loads(error.value.read())["detail"]

    def policy(self, system: str = "", **changes: Any) -> None:
        import urllib.request

        asked = urllib.request.Request(
            f"http://127.0.0.1:{self.core.port}/api/v1/data-policies?system={system}",
            data=json.dumps({"capture": "on", **changes}).encode(),
            method="PUT",
            headers={"authorization": f"Bearer {self.key}", "content-type": "application/json"},
        )
        with urllib.request.urlopen(asked, timeout=30):
            pass

    def spans(self) -> list[dict[str, Any]]:
        """Every span, by the export."""
        return self.lines("spans")

    def lines(self, what: str) -> list[dict[str, Any]]:
        import urllib.request

        asked = urllib.request.Request(
            f"http://127.0.0.1:{self.core.port}/api/v1/exports/{what}",
            headers={"authorization": f"Bearer {self.key}"},
        )
        with urllib.request.urlopen(asked, timeout=30) as answer:
            return [json.loads(line) for line in answer.read().splitlines()]


def until(true: Callable[[], Any], seconds: float = 60) -> Any:
    """Waits for something that the core does by its clock; returns what it gave last."""
    end = time.monotonic() + seconds
    while not (found := true()) and time.monotonic() < end:
        time.sleep(0.5)  # the core is another process, with a clock of its own
    return found


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path / "data")
    yield made
    made.core.stop()


def files_with(data: Path, texts: tuple[str, ...]) -> list[str]:
    """Files under a folder that have one of the texts in them."""
    found = []
    for folder, _, names in os.walk(data):
        for path in (Path(folder) / name for name in names):
            try:
                content = path.read_bytes() if path.is_file() else b""
            except FileNotFoundError:  # the engine cleans up meanwhile
                continue
            if any(text.encode() in content for text in texts):
                found.append(str(path.relative_to(data)))
    return found


def test_an_erased_person_is_nowhere_and_the_counts_stay(house: House) -> None:
    core = house.core
    house.policy()
    core.send(
        house.key,
        [
            span(1, user__id=CANARY, session__id="sess-bellwether-5521", gen_ai__input__messages=TALK),
            span(2, trace=1, parent=f"{2:016x}", gen_ai__input__messages=TALK, note=f"asked by {CANARY}"),
            span(3, session__id="sess-bellwether-5521", gen_ai__input__messages=TALK),
            span(
                4, user__id="somebody-else", gen_ai__input__messages=TALK.replace("bellwether-5521", CANARY)
            ),
            span(5, user__id="somebody-else", gen_ai__input__messages='["unrelated-7733"]'),
            span(
                6,
                trace=1,
                parent=f"{2:016x}",
                gen_ai__operation__name="execute_tool",
                gen_ai__tool__name=f"mail to {CANARY}",
            ),
        ],
    )
    before = house.get("/api/v1/calls?limit=50")["calls"]
    cost = {one["id"]: (one["cost_amount"], one["output_tokens"]) for one in before}
    assert files_with(core.data, (CANARY,)), "the canary must be seen where it is, or this test sees nothing"
    assert CANARY in json.dumps(before)

    done = house.post("/api/v1/erasures", subject=CANARY)
    assert done["done_at"] and (done["counts"]["spans"], done["counts"]["operations"]) == (5, 1)
    [tool] = house.lines("operations")
    assert (tool["kind"], tool["user"], tool["tool"]) == ("tool", None, "mail to [erased]")
    for what in ("operations", "calls", "spans", "logs", "metrics", "evaluations"):
        told = json.dumps(house.lines(what))
        assert CANARY not in told and "bellwether" not in told.replace("unrelated", ""), what
    after = house.get("/api/v1/calls?limit=50")["calls"]
    assert {one["id"]: (one["cost_amount"], one["output_tokens"]) for one in after} == cost
    spans = {one["span_id"]: one for one in house.spans()}
    assert len(spans) == 6
    assert [spans[f"{n + 1:016x}"]["content_state"] for n in (1, 2, 3)] == ["erased"] * 3
    other = spans[f"{5:016x}"]
    assert other["user"] == "somebody-else" and "[erased]" in json.dumps(other["content"])
    assert "unrelated-7733" in json.dumps(spans[f"{6:016x}"]["content"])

    core.send(house.key, [span(9, trace=1, parent=f"{2:016x}")])  # a late span brings nothing back
    late = house.get("/api/v1/calls?limit=50")["calls"]
    assert len(late) == len(before) + 1 and CANARY not in json.dumps(late)
    assert not [one for one in late if one["user"] not in (None, "somebody-else")]
    assert until(lambda: not files_with(core.data, (CANARY, "bellwether-5521")), 90), files_with(
        core.data, (CANARY, "bellwether-5521")
    )
    assert CANARY not in json.dumps(house.get("/api/v1/erasures"))
    core.stop()
    assert files_with(core.data, (CANARY, "bellwether-5521")) == []
    assert "intact" in holdfast("audit", "verify", data=core.data).stdout.lower()


def test_what_is_held_is_neither_erased_nor_expired(house: House) -> None:
    core = house.core
    house.policy(span_days=400, content_days=400, call_days=400)
    old = 10 * DAY
    core.send(house.key, [span(1, ago_ns=old, user__id="held-person", gen_ai__input__messages=TALK)])
    core.send(house.key, [span(2, ago_ns=old, user__id="free-person", gen_ai__input__messages=TALK)])
    hold = house.post("/api/v1/holds", reason="case 17", user="held-person")
    code, detail = house.refused("/api/v1/erasures", subject="held-person")
    assert code == 409 and "case 17" in detail and hold["id"] in detail
    assert len([one for one in house.spans() if one["user"] == "held-person"]) == 1

    house.policy(span_days=5, content_days=5, call_days=5)
    core.stop()
    core.start()  # the daily job runs at the start
    assert until(lambda: len(house.spans()) == 1)
    kept = house.spans()[0]
    assert kept["user"] == "held-person" and kept["content"] and kept["content_state"] == "captured"
    users = lambda: [one["user"] for one in house.get("/api/v1/calls")["calls"]]  # noqa: E731
    assert until(lambda: users() == ["held-person"])

    assert house.post(f"/api/v1/holds/{hold['id']}/release")["released_at"]
    assert house.refused(f"/api/v1/holds/{hold['id']}/release")[0] == 409
    assert until(lambda: not house.spans()), "what is held no longer expires by the policy again"
    assert until(lambda: house.get("/api/v1/calls/count") == {"calls": 0, "spans": 0, "complete": True})


def test_a_shorter_policy_takes_content_that_is_stored(house: House) -> None:
    core = house.core
    house.policy(content_days=400)
    core.send(
        house.key, [span(n, ago_ns=10 * DAY, gen_ai__input__messages=TALK, user__id="u") for n in range(3)]
    )
    assert {one["content_state"] for one in house.spans()} == {"captured"}
    house.policy(content_days=5)
    assert until(lambda: {one["content_state"] for one in house.spans()} == {"expired"})
    assert {one["content"] for one in house.spans()} == {None}
    assert house.get("/api/v1/calls/count")["calls"] == 3


def test_a_new_record_under_a_hold_is_kept_from_the_start(house: House) -> None:
    house.policy(span_days=400, content_days=400)
    house.post("/api/v1/holds", reason="case 18", system="assistant")
    house.core.send(house.key, [span(1, ago_ns=DAY, gen_ai__input__messages=TALK)])
    one = house.spans()[0]
    assert one["expires_at"].startswith("2106") and one["content_expires_at"].startswith("2106")
    assert (
        house.refused(
            "/api/v1/holds", reason="x", **{"from": "2026-02-01T00:00:00Z", "to": "2026-01-01T00:00:00Z"}
        )[0]
        == 422
    )


def test_holds_and_erasures_are_for_admins(house: House) -> None:
    made = holdfast(
        "key",
        "create",
        "--workspace",
        "acme",
        "--scopes",
        "ingest,read,content,operate",
        data=house.core.data,
    )
    for path, body in (("/api/v1/erasures", b'{"subject": "x"}'), ("/api/v1/holds", b'{"reason": "x"}')):
        for content in (body, None):
            with pytest.raises(urllib.error.HTTPError) as error:
                house.core.request(path, made.stdout.strip(), content)
            assert error.value.code == 403
