"""What an application that only sends telemetry runs, held against what is registered: rules, and a real core."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.applications.desk import PROMPT, SENT, Desk

from holdfast.telemetry.conventions.configured import pieces, segments
from holdfast.telemetry.reads.recorded import stated
from holdfast.telemetry.rules.configurations import SLOT, VARIES, Parts
from holdfast.telemetry.rules.recorded import Compared, Match, Stated, compared, template_of
from running_core import CoreProcess

TOOL = {"type": "function", "function": {"name": "look_up", "parameters": {"type": "object"}}}


def release(**other: Any) -> Stated:
    said = {
        "messages": [{"role": "system", "content": PROMPT}, {"role": "user", "content": "{{question}}"}],
        "tools": [],
        "models": ["gpt-4o-mini"],
        "parameters": {"temperature": 0.2, "max_completion_tokens": 100, "response_format": {"type": "text"}},
        "retrieval": {},
    }
    return stated("rel_1", **(said | other))


def seen(text: str | None = SENT, model: str = "gpt-4o-mini", tools: Any = None, **parameters: Any) -> Parts:
    told = {"temperature": "0.20", "max_tokens": "100"} | parameters
    kept = tuple(sorted((name, value) for name, value in told.items() if value is not None))
    return Parts(None if text is None else segments(text), tools, model, kept)


@pytest.mark.parametrize(
    ("parts", "match", "word"),
    [
        (seen(), Match.RECORDED, ""),
        (seen(SENT.replace("Ada's", "Bo's")), Match.RECORDED, ""),
        (seen(SENT.replace("Be kind.", "Be very kind.")), Match.UNRECORDED, "system prompt edited"),
        (seen(SENT + " Or a discount."), Match.UNRECORDED, "1 sentences added"),
        (seen(""), Match.UNRECORDED, "system prompt removed"),
        (seen(model="gpt-4o"), Match.UNRECORDED, "model gpt-4o-mini → gpt-4o"),
        (seen(temperature="0.9"), Match.UNRECORDED, "temperature 0.2 → 0.9"),
        (seen(top_p="0.5"), Match.UNRECORDED, "top_p not set → 0.5"),
        (seen(max_tokens=VARIES), Match.RECORDED, ""),
        (seen(tools=("look_up#00",)), Match.UNRECORDED, "tool look_up added"),
        (seen(**{"retrieval.top_k": "5"}), Match.UNRECORDED, "retrieval top_k not set → 5"),
        (seen(None), Match.UNKNOWN, "system prompt"),
        (seen(None, temperature="1"), Match.UNRECORDED, "temperature 0.2 → 1"),
        (seen(max_tokens=None), Match.UNKNOWN, "max_tokens"),
        (seen(model=""), Match.UNKNOWN, "model"),
    ],
)
def test_what_ran_is_held_against_what_is_registered(parts: Parts, match: Match, word: str) -> None:
    found = compared(parts, [release()])
    assert found.match is match, found
    assert word in "; ".join((*found.differs, *found.unseen)), found


def test_the_nearest_release_is_named_and_none_is_said_to_be_none() -> None:
    far = release(models=["o1"], parameters={})
    found = compared(seen(temperature="0.9"), [far, release()])
    assert found == Compared(Match.UNRECORDED, "rel_1", ("temperature 0.2 → 0.9",))
    assert compared(seen(), []).release is None
    assert compared(seen(), [far, release()]).match is Match.RECORDED
    assert compared(seen(), [release(models=[])]).match is Match.RECORDED, (
        "the model is the application's to choose"
    )
    offered = compared(seen(), [release(tools=[TOOL])])
    assert (offered.match, offered.unseen) == (Match.UNKNOWN, ("tools",)), "telemetry may leave tools out"


sentence = (
    st.text("abcdefgh ", min_size=1, max_size=12).filter(str.strip).map(lambda text: f"{text.strip()}.")
)


@given(st.lists(sentence, min_size=1, max_size=8), st.data())
def test_a_prompt_is_put_together_again_and_says_what_was_sent(said: list[str], data: st.DataObject) -> None:
    text = "".join(one + data.draw(st.sampled_from(("\n", " ", "\n\n"))) for one in said)
    assert "".join(piece for piece, _ in pieces(text)) == text
    prompt = segments(text)
    assert tuple(mark for _, mark in pieces(text)) == prompt
    holes = data.draw(st.sets(st.integers(0, len(prompt) - 1)))
    template = tuple(SLOT if number in holes else one for number, one in enumerate(prompt))
    made = template_of(pieces(text), template)
    assert made is not None and (made == text if not holes else "{{varies_1}}" in made)
    again = stated("r", [{"role": "system", "content": made}], [], [], {}, {})
    assert compared(Parts(prompt, None, "m", ()), [again]).match is Match.RECORDED


def test_a_text_that_was_masked_is_not_taken_for_what_was_sent() -> None:
    assert template_of(pieces(SENT.replace("Ada's", "[PERSON]")), segments(SENT)) is None


@pytest.fixture(scope="module")
def core(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CoreProcess]:
    made = CoreProcess(tmp_path_factory.mktemp("unrecorded") / "data", min_free_bytes=1)
    yield made.start()
    made.stop()


@pytest.mark.slow
def test_an_edit_that_nobody_recorded_is_found_told_and_registered_with_one_call(core: CoreProcess) -> None:
    desk = Desk(core)
    desk.calls(6)
    [first] = desk.found()
    assert (first["match"], first["release"], first["deployment"]) == ("unrecorded", None, None)
    made = desk.ask("POST", f"unrecorded/{first['configuration']}/register", json={"ticket": "OPS-7"})
    assert made.status_code == 201, made.text
    [first] = desk.found()
    assert (first["match"], first["release"]) == ("recorded", made.json()["release"])
    assert (first["prompt"], first["prompt_version"]) == ("support", 1)
    whole = desk.door.get("registry/version", kind="prompt", name="support", number=1)
    assert whole["body"]["messages"] == [{"role": "system", "content": SENT}] and whole["ticket"] == "OPS-7"
    again = desk.ask("POST", f"unrecorded/{first['configuration']}/register", json={})
    assert again.status_code == 409

    desk.calls(6, SENT.replace("Never promise", "Gladly promise"))
    second, _ = desk.found()
    assert second["match"] == "unrecorded" and second["differs"] == [
        "system prompt edited: 1 sentences added, 1 removed of 4"
    ]
    end = time.monotonic() + 90
    while second["flagged"] is None and time.monotonic() < end:
        second = desk.found()[0]
    assert second["flagged"] is not None and second["flagged"]["raised_by"] is None
    [told] = desk.audited("configuration.unrecorded")
    assert told["subject"] == second["configuration"] and told["details"]["deployment"] is None

    sent = {"id": "ci-9", "system": "desk", "configuration": second["configuration"], "author": "Cy"}
    assert desk.ask("POST", "deployments", json=sent).status_code == 201
    assert desk.found()[0]["deployment"] == "ci-9", "announced afterwards: now it is known who did it"

    raised = desk.ask("POST", f"unrecorded/{second['configuration']}/raise", json={"note": "who was it?"})
    assert raised.status_code == 200 and raised.json()["note"] == "who was it?", raised.text
    assert desk.ask("POST", f"unrecorded/{second['configuration']}/raise", json={}).status_code == 409
    assert len(desk.audited("configuration.raised")) == 1


def test_what_was_not_captured_is_unknown_and_cannot_be_registered(core: CoreProcess) -> None:
    desk = Desk(core)
    desk.calls(2, **{"gen_ai.system_instructions": "", "gen_ai.input.messages": ""})
    [one] = desk.found()
    refused = desk.ask("POST", f"unrecorded/{one['configuration']}/register", json={})
    assert refused.status_code == 422 and "not kept as it was sent" in refused.text, refused.text
    assert desk.ask("POST", "unrecorded/0123456789abcdef/register", json={}).status_code == 404
    reader = core.workspace(scopes="read,operate")
    path = f"/api/v1/unrecorded/{one['configuration']}/register"
    headers = {"authorization": f"Bearer {reader.key}"}
    assert core.client.post(path, headers=headers, json={}).status_code == 404, "another workspace's"
