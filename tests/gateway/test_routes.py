"""Routes and releases in the path: prompts rendered here, splits that hold still, keys that are bound."""

from __future__ import annotations

from typing import Any

import anthropic
import httpx2
import openai
import pytest
from running_gateway import KEY, NOW, Worker
from vendor import Vendor

from holdfast.gateway.model import ClientKey
from running_core import NO_TLS, until

OTHER = "hf_other_key"
OLD = "hf_old_key"


@pytest.fixture(scope="module", autouse=True)
def configured(worker: Worker, vendor: Vendor) -> None:
    prompt = {
        "messages": [{"role": "system", "content": "You answer for {{company}}."}],
        "variables": {"company": {}},
    }
    older = {
        "messages": [{"role": "system", "content": "{{#a}} {{{company}}} {{"}],
        "variables": {"company": {}},
    }
    whole = {
        "messages": [{"role": "system", "content": "{{company}}"}],
        "variables": {"company": {"type": "json"}},
    }
    worker.apply(
        {
            "upstreams": {
                "one": {"dialect": "openai", "base_url": vendor.url + "/v1", "region": "eu"},
                "far": {"dialect": "openai", "base_url": vendor.url + "/v1", "region": "us"},
                "claude": {"dialect": "anthropic", "base_url": vendor.url + "/v1", "region": "eu"},
            },
            "releases": {
                "plain": {
                    "chain": [{"upstream": "one", "model": "small"}],
                    "parameters": {"temperature": 0.5},
                },
                "new": {"chain": [{"upstream": "one", "model": "large"}]},
                "kept": {"chain": [{"upstream": "one", "model": "small"}], "prompt": prompt},
                "older": {"chain": [{"upstream": "one", "model": "small"}], "prompt": older},
                "whole": {"chain": [{"upstream": "one", "model": "small"}], "prompt": whole},
                "claude": {"chain": [{"upstream": "claude", "model": "opus"}], "prompt": prompt},
                "far": {"chain": [{"upstream": "far", "model": "m"}, {"upstream": "one", "model": "near"}]},
            },
            "routes": {
                "plain": {"release": "plain", "max_output_tokens": 77},
                "split": {
                    "variants": [{"release": "plain", "weight": 90}, {"release": "new", "weight": 10}],
                    "models": ["alias"],
                },
                "kept": {"release": "kept"},
                "older": {"release": "older"},
                "whole": {"release": "whole"},
                "claude": {"release": "claude"},
                "bound": {"release": "far", "system": "hospital"},
                "free": {"release": "far", "system": "shop"},
            },
            "regions": {"hospital": ["eu"]},
            "keys": {"key_2": {"route": "plain", "routes": ["plain"], "system": "desk", "tenant": "acme"}},
        },
        keys={
            KEY: ClientKey("key_1", "ws_1"),
            OTHER: ClientKey("key_2", "ws_1"),
            OLD: ClientKey("key_3", "ws_1", NOW),
        },
        release_ids={"plain": "rel_plain", "new": "rel_new"},
    )


def ask(worker: Worker, key: str = KEY, model: str = "any", **headers: str) -> httpx2.Response:
    named = {"authorization": f"Bearer {key}"}
    named |= {f"x-holdfast-{name}": value for name, value in headers.items()}
    body = {"model": model, "messages": [{"role": "user", "content": "hi"}]}
    return httpx2.post(worker.url + "/v1/chat/completions", json=body, headers=named, verify=NO_TLS)


def test_a_release_is_laid_over_the_request(worker: Worker, vendor: Vendor) -> None:
    got = ask(worker, route="plain")
    sent = vendor.seen[-1]["body"]
    assert (sent["model"], sent["temperature"]) == ("small", 0.5)
    assert sent["max_completion_tokens"] == 77, "the route's maximum where the client names none"
    assert got.headers["x-holdfast-release"] == "rel_plain"
    assert worker.records()[-1].release == "rel_plain"


def test_a_managed_prompt_needs_only_its_variables(worker: Worker, vendor: Vendor) -> None:
    with openai.OpenAI(base_url=worker.url + "/v1", api_key=KEY) as client:
        route = {"x-holdfast-route": "kept"}
        own: Any = {"holdfast": {"variables": {"company": "Acme"}}}
        client.chat.completions.create(model="x", messages=[], extra_headers=route, extra_body=own)
        assert vendor.seen[-1]["body"]["messages"] == [{"role": "system", "content": "You answer for Acme."}]
        assert "holdfast" not in vendor.seen[-1]["body"]
        assert worker.records()[-1].variables == {"company": "Acme"}
        client.responses.create(model="x", input="hi", extra_headers=route, extra_body=own)
        assert vendor.seen[-1]["body"]["instructions"] == "You answer for Acme."
        with pytest.raises(openai.BadRequestError, match="company"):
            client.chat.completions.create(model="x", messages=[], extra_headers=route)
    with anthropic.Anthropic(base_url=worker.url, api_key=KEY) as claude:
        said: Any = [{"role": "user", "content": "hi"}]
        head = {"x-holdfast-route": "claude"}
        claude.messages.create(model="x", max_tokens=5, messages=said, extra_headers=head, extra_body=own)
        assert vendor.seen[-1]["body"]["system"] == [{"type": "text", "text": "You answer for Acme."}]


def test_a_prompt_applied_before_strays_were_refused_still_serves(worker: Worker, vendor: Vendor) -> None:
    sent = asked(worker, "older", {"company": "{{company}}"})
    assert sent.status_code == 200
    assert vendor.seen[-1]["body"]["messages"][0]["content"] == "{{#a}} {{{company}}} {{"


@pytest.mark.parametrize("depth", [100, 300, 600, 900])
def test_a_deeply_nested_variable_is_served_or_refused(worker: Worker, depth: int) -> None:
    deep: Any = "x"
    for _ in range(depth):
        deep = [deep]
    for route in ("older", "whole"):
        sent = asked(worker, route, {"company": deep})
        assert sent.status_code in (200, 400, 422), sent.text
        if sent.status_code != 200:
            assert "nested too deeply" in sent.text or "must be a string" in sent.text
        elif route == "whole":
            assert worker.records()[-1].variables == {"company": deep}


def asked(worker: Worker, route: str, variables: Any) -> httpx2.Response:
    return httpx2.post(
        worker.url + "/v1/chat/completions",
        json={"model": "x", "messages": [], "holdfast": {"variables": variables}},
        headers={"authorization": f"Bearer {KEY}", "x-holdfast-route": route},
        verify=NO_TLS,
    )


def test_a_conversation_stays_on_its_release(worker: Worker) -> None:
    seen: dict[str, set[str]] = {}
    for turn in range(3):
        for number in range(60):
            got = ask(worker, model="alias", session=f"s{number}", user=f"u{turn}")
            seen.setdefault(f"s{number}", set()).add(got.headers["x-holdfast-release"])
    assert all(len(releases) == 1 for releases in seen.values())
    assert {release for releases in seen.values() for release in releases} == {"rel_plain", "rel_new"}


def test_a_key_is_bound_to_what_it_stands_for(worker: Worker) -> None:
    assert ask(worker, OTHER, tenant="other", system="forged").status_code == 200
    record = worker.records()[-1]
    assert (record.dimensions.route, record.dimensions.system, record.dimensions.tenant) == (
        "plain",
        "desk",
        "acme",
    )
    assert ask(worker, OTHER, route="split").status_code == 403
    assert ask(worker, OLD).status_code == 401
    assert ask(worker, route="nowhere").status_code == 404


def test_a_bound_system_never_leaves_its_regions(worker: Worker, vendor: Vendor) -> None:
    vendor.tell("near", "500")
    asked = len(vendor.seen)
    assert ask(worker, route="bound").status_code == 500
    assert {one["body"]["model"] for one in vendor.seen[asked:]} == {"near"}, "not even as a fallback"
    assert ask(worker, route="free").headers["x-holdfast-upstream"] == "far"


def test_a_trace_is_joined_and_passed_on(worker: Worker, vendor: Vendor) -> None:
    above = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    body = {"model": "x", "messages": []}
    headers = {"authorization": f"Bearer {KEY}", "traceparent": above, "x-holdfast-route": "plain"}
    httpx2.post(worker.url + "/v1/chat/completions", json=body, headers=headers, verify=NO_TLS)
    record = worker.records()[-1]
    assert record.trace_id.hex() == "0af7651916cd43dd8448eb211c80319c"
    assert record.parent_id.hex() == "b7ad6b7169203331"
    assert (
        vendor.seen[-1]["headers"]["traceparent"] == f"00-{record.trace_id.hex()}-{record.span_id.hex()}-01"
    )


def test_a_conversation_keeps_its_release_while_the_split_ramps(worker: Worker, vendor: Vendor) -> None:
    def weigh(old: int, new: int) -> None:
        upstreams = {"one": {"dialect": "openai", "base_url": vendor.url + "/v1"}}
        releases = {name: {"chain": [{"upstream": "one", "model": name}]} for name in ("old", "new")}
        variants = [{"release": "old", "weight": old}, {"release": "new", "weight": new}]
        worker.apply(
            {"upstreams": upstreams, "releases": releases, "routes": {"ramp": {"variants": variants}}}
        )

    def models() -> list[str]:
        found = []
        for number in range(20):
            ask(worker, route="ramp", session=f"ramp{number}")
            found.append(vendor.seen[-1]["body"]["model"])
        return found

    weigh(90, 10)
    began = models()
    weigh(10, 90)
    assert models() == began, "who began on a release stays on it"
    worker.kill()
    worker.start()
    assert models() == began, "also when the gateway was killed meanwhile"
    weigh(0, 100)
    assert set(models()) == {"new"}, "until it has no traffic any more"


def test_shadow_copies_delay_nobody_and_are_capped(worker: Worker, vendor: Vendor) -> None:
    upstreams = {"one": {"dialect": "openai", "base_url": vendor.url + "/v1"}}
    releases = {name: {"chain": [{"upstream": "one", "model": name}]} for name in ("live", "copy")}
    shadow = {"release": "copy", "percent": 100, "concurrency": 2}
    route = {"release": "live", "shadow": shadow}
    worker.apply({"upstreams": upstreams, "releases": releases, "routes": {"r": route}})
    vendor.tell("copy", "stall")
    before = len(worker.records())
    try:
        for _ in range(5):
            assert ask(worker, route="r").headers["x-holdfast-upstream"] == "one"
        assert len(worker.recorded(before + 5)) == before + 5, "nobody waits for the copies"
        until(lambda: vendor.open == 2, 5, "two copies under way, no more")
    finally:
        vendor.released.set()
    records = worker.recorded(before + 7)[before:]
    live = {record.span_id for record in records if not record.shadow_of}
    copies = [record for record in records if record.shadow_of]
    assert len(copies) == 2
    assert {copy.shadow_of for copy in copies} <= live
    assert not {copy.trace_id for copy in copies} & {one.trace_id for one in records if not one.shadow_of}
    vendor.released.clear()


@pytest.mark.parametrize("stream", [False, True])
def test_the_workspaces_own_message_is_the_last_resort(stream: bool, worker: Worker, vendor: Vendor) -> None:
    upstreams = {"one": {"dialect": "openai", "base_url": vendor.url + "/v1"}}
    upstreams["claude"] = {"dialect": "anthropic", "base_url": vendor.url + "/v1"}
    releases = {name: {"chain": [{"upstream": name, "model": "away"}]} for name in ("one", "claude")}
    words = "We are sorry: please call 100."
    routes = {name: {"release": name, "message": words, "retries": 0} for name in ("one", "claude")}
    worker.apply({"upstreams": upstreams, "releases": releases, "routes": routes})
    vendor.tell("away", "503")
    said: Any = [{"role": "user", "content": "hi"}]
    head = {"x-holdfast-route": "one"}
    with openai.OpenAI(base_url=worker.url + "/v1", api_key=KEY, max_retries=0) as client:
        if stream:
            chunks = client.chat.completions.create(model="x", messages=said, stream=True, extra_headers=head)
            assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == words
            with client.responses.stream(model="x", input="hi", extra_headers=head) as events:
                assert events.get_final_response().output_text == words
        else:
            raw = client.chat.completions.with_raw_response.create(
                model="x", messages=said, extra_headers=head
            )
            assert raw.headers["x-holdfast-degraded"] == "message"
            assert raw.parse().choices[0].message.content == words
            assert client.responses.create(model="x", input="hi", extra_headers=head).output_text == words
    with anthropic.Anthropic(base_url=worker.url, api_key=KEY, max_retries=0) as claude:
        ours = {"x-holdfast-route": "claude"}
        with claude.messages.stream(model="x", max_tokens=9, messages=said, extra_headers=ours) as texts:
            assert "".join(texts.text_stream) == words
    assert worker.records()[-1].error == "503", "the record says what really happened"


def test_a_stored_response_is_asked_for_where_it_was_made(worker: Worker, vendor: Vendor) -> None:
    upstreams = {name: {"dialect": "openai", "base_url": f"{vendor.url}/{name}/v1"} for name in ("a", "b")}
    chain = [{"upstream": "a", "model": "full"}, {"upstream": "b", "model": "free"}]
    releases, routes = {"r": {"chain": chain}}, {"stored": {"release": "r", "retries": 1}}
    worker.apply({"upstreams": upstreams, "releases": releases, "routes": routes})
    vendor.tell("full", "500")
    headers = {"x-holdfast-route": "stored"}
    with openai.OpenAI(base_url=worker.url + "/v1", api_key=KEY, default_headers=headers) as client:
        made = client.responses.create(model="full", input="Say hello")
        client.responses.delete(made.id)
        assert vendor.seen[-1]["path"] == "/b/v1/responses/resp_1"
        worker.kill()
        worker.start()
        client.responses.delete(made.id)
    assert vendor.seen[-1]["path"] == "/b/v1/responses/resp_1", "also by a gateway that was killed meanwhile"
