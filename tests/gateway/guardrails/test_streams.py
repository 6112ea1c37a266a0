"""Held windows: whatever the chunks, a stream is judged as if it were whole, and nothing leaves before it is judged."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from judged import armed, data, nobody, run, said, speech, stream, told, watch

from holdfast.gateway.guardrails.shelf import judge_of
from holdfast.gateway.model import Side
from holdfast.gateway.proxy import hooks
from holdfast.gateway.proxy.arming import Armed
from holdfast.gateway.proxy.guarding import Watch
from holdfast.gateway.proxy.panel import Blocked, Panel

DIALECTS = ("chat", "messages", "responses", "gemini")
SECRETS = (
    "sk-proj-abcdefghijklmnopqrstuvwxyz0123456789",
    "AKIAIOSFODNN7EXAMPLE",
    "ghp_abcdefghijklmnopqrstuvwxyz0123456789",
    "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9." + "eyJ" + "abcdefgh1" * 90 + "." + "sig_nature0" * 9,
    "-----BEGIN RSA PRIVATE KEY-----\n" + "MIIEowIBAAKCAQEA7bq4\n" * 40 + "-----END RSA PRIVATE KEY-----",
    "postgres://app:hunter2hunter2@db.example.com/x",
    "Bearer abcdef0123456789abcdefXYZ",
)
PERSONAL = (
    "jane.doe@example.com",
    "4111 1111 1111 1111",
    "DE89 3704 0044 0532 0130 00",
    "+49 30 901820",
    "GB29 NWBK 6016 1331 9268 19",
    "5500005555555559",
)
FILLING = st.text(alphabet='aAbe zZ.,-\n7 0@:/"\\é漢😀', max_size=60) | st.sampled_from(
    (
        " Hello there, friend. ",
        " the total is 12.50 and 17 ",
        "\n\n| 1 | 22 | 333 |\n",
        " x" * 300,
        '{"a": "b"}',
    )
)
BOTH = (
    {"kind": "pii"},
    {"kind": "secrets"},
    {"kind": "rules", "rules": [{"name": "project", "pattern": r"(?i)project [a-z]+-\d{2,4}"}]},
)


def core(secret: str) -> str:
    """What of it must never be seen."""
    if "hunter2" in secret:
        return "hunter2hunter2"
    return secret.removeprefix("Bearer ")[:24] if "PRIVATE" not in secret else "MIIEow"


@st.composite
def cut(draw: st.DrawFn) -> tuple[list[str], list[str]]:
    """A text in pieces, and what in it is not to be let through."""
    hidden = draw(st.lists(st.sampled_from((*SECRETS, *PERSONAL, "Project Zeus-42")), max_size=4))
    parts = [draw(FILLING)]
    for one in hidden:
        parts += [" ", one, " ", draw(FILLING)]
    text = "".join(parts)
    places = sorted(draw(st.lists(st.integers(0, len(text)), max_size=40)))
    ends = [0, *places, len(text)]
    return [text[a:b] for a, b in pairwise(ends)], hidden


def whole(text: str) -> str:
    """The text judged at once."""
    found = [one for guardrail in armed(*BOTH) for one in judge_of(guardrail.guardrail).find(text, 0)]
    spans: list[tuple[int, int, str]] = []
    for start, end, label in sorted(found):
        if spans and start < spans[-1][1]:
            spans[-1] = (spans[-1][0], max(end, spans[-1][1]), spans[-1][2])
        else:
            spans.append((start, end, label))
    made, place = "", 0
    for start, end, label in spans:
        made += text[place:start] + f"[{label.upper()}]"
        place = end
    return made + text[place:]


@pytest.mark.parametrize("dialect", DIALECTS)
@settings(max_examples=120, deadline=None)
@given(told=cut(), data=st.data())
def test_any_chunks_say_what_the_whole_says(
    dialect: str, told: tuple[list[str], list[str]], data: st.DataObject
) -> None:
    pieces, hidden = told
    raw = b"".join(stream(dialect, pieces))
    places = sorted(data.draw(st.lists(st.integers(0, len(raw)), max_size=30)))
    ends = [0, *places, len(raw)]
    chunks = [raw[a:b] for a, b in pairwise(ends)]
    made = watch(dialect, armed(*BOTH))
    out, _ = run(made, chunks)
    text = "".join(pieces)
    assert said(dialect, out) == whole(text)
    for secret in hidden:
        assert core(secret) in whole(text) or core(secret) not in out.decode()
    if whole(text) == text:
        assert out == raw
    count = sum(one.count for one in made.verdicts())
    assert (count > 0) == (whole(text) != text)


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("secret", [*SECRETS, *PERSONAL])
def test_letter_by_letter_nothing_of_a_secret_leaves(dialect: str, secret: str) -> None:
    text = "Well, " * 100 + secret + ". That is it." * 60
    made = watch(dialect, armed(*BOTH))
    out, steps = run(made, stream(dialect, list(text)))
    assert said(dialect, out) == whole(text)
    assert core(secret) not in said(dialect, out)
    before = [one for one in steps[: 6 * 90] if one]
    assert before, "what is long past is not held"


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_block_ends_the_stream_before_what_was_found(dialect: str) -> None:
    text = "Good day to you. " * 40 + SECRETS[0] + " and more of it." * 60
    made = watch(dialect, armed({"kind": "secrets", "action": "block", "message": "No keys"}))
    with pytest.raises(Blocked) as blocked:
        run(made, stream(dialect, list(text)))
    assert blocked.value.message == "No keys (guardrail g0)"
    out = said(dialect, made.sent)
    assert text.startswith(out)
    assert len(out) <= text.index(SECRETS[0])
    assert told(made)["g0"].verdict == "block"
    assert SECRETS[0] not in str(told(made))


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_flag_holds_nothing_and_changes_nothing(dialect: str) -> None:
    made = watch(dialect, armed({"kind": "pii", "action": "flag"}))
    events = stream(dialect, ["Write to ", "jane@exam", "ple.com", " today"])
    out, steps = run(made, events)
    assert out == b"".join(events)
    assert steps[1] == events[0]
    assert (told(made)["g0"].verdict, told(made)["g0"].entities) == ("flag", ("email",))


def test_the_rest_of_an_event_stays_byte_for_byte() -> None:
    again = '{"content":[{"token":"a@b.com"}]}'
    delta = '{"content":"a@b.com \\u00e9"}'
    text = (
        '{"id":"x" ,"n":1.50, "choices":[{"index":0,"logprobs":'
        + again
        + ',"delta":'
        + delta
        + ', "odd" : [1e2]}]}'
    )
    event = f"id: 7\ndata:{text}\n\n".encode()
    out, _ = run(watch("chat", armed({"kind": "pii"})), [event])
    wanted = text.replace(delta, '{"content":"[EMAIL] é"}').replace(again, "null")
    assert out.decode() == f"id: 7\ndata:{wanted}\n\n"


def test_choices_and_tools_are_texts_of_their_own() -> None:
    def tool(part: str) -> dict[str, object]:
        return {"tool_calls": [{"index": 1, "function": {"arguments": part}}]}

    arguments = '{"to": "jane@example.com", "card": 4111111111111111}'
    events = []
    for place in range(0, len(arguments), 3):
        events.append(data({"choices": [{"index": 1, "delta": tool(arguments[place : place + 3])}]}))
        events.append(data({"choices": [{"index": 0, "delta": {"content": "jane@"[place : place + 3]}}]}))
    events.append(data({"choices": [{"index": 0, "delta": {"content": " example.com"}}]}))
    out, _ = run(watch("chat", armed({"kind": "pii"})), events)
    got = {0: "", 1: ""}
    for line in out.decode().splitlines():
        if line:
            for choice in json.loads(line[5:])["choices"]:
                delta = choice["delta"]
                got[choice["index"]] += (
                    delta.get("content") or delta["tool_calls"][0]["function"]["arguments"]
                    if delta.get("tool_calls")
                    else delta["content"]
                )
    assert json.loads(got[1]) == {"to": "[EMAIL]", "card": None}
    assert got[0] == "jane@ example.com"


def test_what_says_a_text_again_shares_its_fate() -> None:
    made = watch("responses", armed({"kind": "pii"}))
    out, _ = run(made, stream("responses", ["Write to jane@", "example.com", "."]))
    assert b"jane@" not in out
    assert out.count(b"[EMAIL]") == 3
    assert b"mail a@example.org" in out  # the request's own instructions were judged as such
    assert told(made)["g0"].count == 1


def test_half_an_event_at_the_end_is_dropped() -> None:
    key = SECRETS[1]
    event = data({"choices": [{"index": 0, "delta": {"content": key[:9]}}]})
    half = b'data: {"choices": [{"index": 0, "delta": {"content": "' + key[9:].encode()
    out, _ = run(watch("chat", armed({"kind": "secrets"})), [event, half])
    assert out == event


def test_a_schema_judges_at_the_end() -> None:
    form = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    guardrails = armed({"kind": "schema", "action": "block", "at": "output", "schema": form})
    good, bad = ['{"n"', ": 1}"], ['{"n"', ': "x"}']
    assert run(watch("chat", guardrails), stream("chat", good))[0] == b"".join(stream("chat", good))
    made = watch("chat", guardrails)
    with pytest.raises(Blocked):
        run(made, stream("chat", bad))
    assert told(made)["g0"].entities == ("schema",)


def test_too_much_is_blocked_as_soon_as_it_is_too_much() -> None:
    made = watch("chat", armed({"kind": "size", "action": "block", "max_bytes": 1000}))
    with pytest.raises(Blocked):
        run(made, stream("chat", ["0123456789"] * 500))
    assert len(said("chat", made.sent)) <= 1000


def test_a_key_without_an_end_is_not_held_for_ever() -> None:
    text = "-----BEGIN PRIVATE KEY-----\n" + "MIIEowIBAAKCAQEA7bq4\n" * 5000
    made = watch("chat", armed({"kind": "secrets"}))
    with pytest.raises(Blocked):
        run(made, stream("chat", [text[place : place + 50] for place in range(0, len(text), 50)]))
    assert said("chat", made.sent) == ""


def test_a_webhook_is_asked_window_by_window_and_has_the_last_word() -> None:
    asked: list[tuple[str, str]] = []

    async def ask(one: Armed, side: Side, texts: list[str], before: list[str]) -> hooks.Answer:
        asked.append((texts[0], before[0]))
        return hooks.Answer("redact", [text.replace("Ann", "[WHO]") for text in texts])

    words = [f"word{number} " for number in range(200)] + ["An", "n", " of jane@example.com"]
    made = watch("chat", armed({"kind": "webhook", "action": "block", "url": "x"}, {"kind": "pii"}), ask)
    out, steps = run(made, stream("chat", words))
    wanted = "".join(words).replace("jane@example.com", "[EMAIL]")
    assert said("chat", out) == wanted.replace("Ann", "[WHO]")
    texts = [text for text, _ in asked]
    assert "".join(texts) == wanted, "each text once, as the own judges left it"
    assert all(256 <= len(text) < 300 for text in texts[:-2])
    assert asked[3][1].endswith(texts[2])
    assert any(steps[:120])
    assert (told(made)["g0"].verdict, told(made)["g0"].count) == ("redact", 1)


def test_a_stream_that_is_one_list_is_judged_as_it_runs_on() -> None:
    """Gemini without `alt=sse`: pieces of one text in the entries of a list, and the list in pieces."""
    made = Watch(Panel(armed({"kind": "pii"}), Side.OUTPUT, nobody, keep=False), speech("gemini"))
    made.begin([(b"content-type", b"application/json")])
    pieces = ["Write to jane@", "example", ".com", "."]
    raw = json.dumps([{"candidates": [{"content": {"parts": [{"text": one}]}}]} for one in pieces]).encode()
    out, steps = run(made, [raw[:50], raw[50:90], raw[90:]])
    assert (steps[:3], steps[3]) == ([b"", b"", b""], out)
    texts = [one["candidates"][0]["content"]["parts"][0]["text"] for one in json.loads(out)]
    assert texts == ["Write to [EMAIL]", "", "", "."]
