"""Claude and others on Amazon Bedrock, behind official SDKs, with every signature verified by who is asked."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import anthropic
import httpx2
import openai
import pytest
from bedrock import ACCESS, SECRET, Bedrock
from running_gateway import KEY, Worker, rates

from holdfast.pricing.prices import Pricer
from running_core import NO_TLS

MESSAGES: Any = [{"role": "user", "content": "Say hello"}]
TOOLS: Any = [{"name": "weather", "input_schema": {"type": "object"}}]
PROFILE = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
ARN = f"arn:aws:bedrock:us-east-1:123456789012:inference-profile/{PROFILE}"
PRICED = {"input_uncached": Decimal("3.3"), "output": Decimal("16.5")}


@pytest.fixture(scope="module")
def aws() -> Iterator[Bedrock]:
    made = Bedrock()
    made.start()
    yield made
    made.stop()


@pytest.fixture(scope="module")
def worker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worker]:
    folder = tmp_path_factory.mktemp("gateway")
    settings = {"KEYS": f"{ACCESS}:{SECRET}", "SESSION": f"ASIASESSION:{SECRET}:the/session+token=="}
    made = Worker(folder, settings)
    made.apply({})
    made.start()
    yield made
    made.kill()


@pytest.fixture(autouse=True)
def configured(worker: Worker, aws: Bedrock) -> None:
    aws.behaviours.clear()
    aws.faults.clear()
    aws.secrets = {ACCESS: (SECRET, ""), "ASIASESSION": (SECRET, "the/session+token==")}
    aws.skew = 0.0
    apply(worker, aws)


def apply(worker: Worker, aws: Bedrock, credential: str = "env:KEYS", **more: Any) -> None:
    at = {"region": "us-east-1", "credential": credential}
    upstreams = {
        "claude": {"dialect": "bedrock", "base_url": aws.url, "models": [PROFILE, ARN], **at},
        "open": {
            "dialect": "openai",
            "auth": "sigv4",
            "provider": "aws.bedrock",
            "base_url": aws.url + "/openai/v1",
            "models": ["openai.gpt-oss-120b-1:0"],
            **at,
        },
    }
    price = rates(input_uncached="3.3", output="16.5")
    prices = {"claude": {PROFILE: price, ARN: price}, "open": {"openai.gpt-oss-120b-1:0": price}}
    worker.apply({"upstreams": upstreams, **more}, prices)


@pytest.fixture
def gpt(worker: Worker) -> openai.OpenAI:
    return openai.OpenAI(base_url=worker.url + "/v1", api_key=KEY, max_retries=0)


@pytest.fixture
def claude(worker: Worker) -> anthropic.Anthropic:
    return anthropic.Anthropic(base_url=worker.url, api_key=KEY, max_retries=0)


def cost(used: Any) -> Decimal:
    return (3_3 * Decimal(used.input_tokens) + 16_5 * Decimal(used.output_tokens)) / 10_000_000


@pytest.mark.parametrize("model", [PROFILE, ARN])
def test_an_anthropic_client_is_served_by_bedrock(
    model: str, claude: anthropic.Anthropic, worker: Worker, aws: Bedrock
) -> None:
    answer = claude.beta.messages.create(
        model=model,
        max_tokens=50,
        messages=MESSAGES,
        system="Be kind.",
        betas=["context-1m-2025-08-07", "two"],
    )
    assert answer.content[0].text == "Hello there, friend."  # type: ignore[union-attr]
    sent = aws.seen[-1]
    assert sent["path"].count("/") == 3
    assert sent["path"].endswith("/invoke")
    assert sent["query"] == ""
    assert sent["body"]["anthropic_beta"] == ["context-1m-2025-08-07", "two"]
    assert {"model", "stream"} & set(sent["body"]) == set()
    assert not [name for name in sent["headers"] if name.startswith("anthropic-")]
    assert KEY not in str(sent["headers"])
    assert SECRET not in str(sent["headers"])
    record = worker.records()[-1]
    assert (record.upstream, record.provider, record.request_model) == ("claude", "aws.bedrock", model)
    assert (record.error, record.cost) == (None, cost(answer.usage))


def test_a_stream_in_frames_becomes_anthropics_events(
    claude: anthropic.Anthropic, worker: Worker, aws: Bedrock
) -> None:
    for how in ("well", "trickle"):
        aws.tell(PROFILE, how)
        with claude.messages.stream(model=PROFILE, max_tokens=50, messages=MESSAGES) as stream:
            assert "".join(stream.text_stream) == "Hello there, friend."
            final = stream.get_final_message()
        assert aws.seen[-1]["path"].endswith("/invoke-with-response-stream")
        record = worker.records()[-1]
        assert (record.error, record.estimated, record.cost) == (None, False, cost(final.usage))
    with claude.messages.stream(model=PROFILE, max_tokens=50, messages=MESSAGES, tools=TOOLS) as stream:
        final = stream.get_final_message()
    assert (final.stop_reason, final.content[-1].input) == ("tool_use", {"city": "Riga"})  # type: ignore[union-attr]


def test_an_openai_client_is_served_by_claude_on_bedrock(
    gpt: openai.OpenAI, worker: Worker, aws: Bedrock
) -> None:
    tools: Any = [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}]
    answer = gpt.chat.completions.create(model=PROFILE, messages=MESSAGES, max_tokens=50)
    assert answer.choices[0].message.content == "Hello there, friend."
    called = gpt.chat.completions.create(model=PROFILE, messages=MESSAGES, max_tokens=50, tools=tools)
    call: Any = (called.choices[0].message.tool_calls or [None])[0]
    assert (call.function.name, call.function.arguments) == ("weather", '{"city":"Riga"}')
    chunks = list(
        gpt.chat.completions.create(
            model=PROFILE,
            messages=MESSAGES,
            max_tokens=50,
            stream=True,
            stream_options={"include_usage": True},
        )
    )
    assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == "Hello there, friend."
    assert chunks[-1].usage is not None
    assert (worker.records()[-1].error, chunks[-1].usage.completion_tokens) == (None, 5)
    assert aws.seen[-1]["body"]["anthropic_version"] == "bedrock-2023-05-31"


def test_bedrocks_openai_endpoint_with_a_signature(gpt: openai.OpenAI, worker: Worker, aws: Bedrock) -> None:
    model = "openai.gpt-oss-120b-1:0"
    answer = gpt.chat.completions.create(model=model, messages=MESSAGES)
    assert answer.choices[0].message.content == "Hello there, friend."
    assert aws.seen[-1]["path"] == "/openai/v1/chat/completions"
    said = [
        c.choices[0].delta.content
        for c in gpt.chat.completions.create(model=model, messages=MESSAGES, stream=True)
    ]
    assert "".join(one or "" for one in said) == "Hello there, friend."
    assert worker.records()[-1].cost is not None
    kept = gpt.files.create(
        file=("a file.jsonl", b"{}\n"), purpose="batch", extra_headers={"x-holdfast-model": model}
    )
    assert kept
    gpt.get("/files", cast_to=object, options={"params": {"b": "x y+z/ä", "a": "1"}})
    assert aws.faults == []


def test_a_session_token_is_sent_and_signed(
    claude: anthropic.Anthropic, worker: Worker, aws: Bedrock
) -> None:
    apply(worker, aws, credential="env:SESSION")
    assert claude.messages.create(model=PROFILE, max_tokens=9, messages=MESSAGES).content
    assert aws.seen[-1]["headers"]["x-amz-security-token"] == "the/session+token=="


def test_what_a_client_says_in_the_name_of_aws_does_not_go_up(
    claude: anthropic.Anthropic, aws: Bedrock
) -> None:
    forged = {
        "x-amz-security-token": "mine",
        "x-amz-date": "20200101T000000Z",
        "x-amzn-bedrock-service-tier": "priority",
    }
    claude.messages.create(model=PROFILE, max_tokens=9, messages=MESSAGES, extra_headers=forged)
    sent = aws.seen[-1]["headers"]
    assert "x-amz-security-token" not in sent
    assert "x-amzn-bedrock-service-tier" not in sent


def test_a_signature_that_is_refused_is_told_in_the_clients_words(
    claude: anthropic.Anthropic, gpt: openai.OpenAI, aws: Bedrock
) -> None:
    aws.skew = 3600.0
    with pytest.raises(anthropic.PermissionDeniedError) as told:
        claude.messages.create(model=PROFILE, max_tokens=9, messages=MESSAGES)
    assert told.value.body["error"]["message"].endswith("Signature expired")  # type: ignore[index]
    assert told.value.body["error"]["details"]["error_code"] == "InvalidSignatureException"  # type: ignore[index]
    aws.skew = 0.0
    aws.secrets = {ACCESS: ("another secret", "")}
    with pytest.raises(openai.PermissionDeniedError) as said:
        gpt.chat.completions.create(model=PROFILE, messages=MESSAGES, max_tokens=9)
    assert "does not match" in said.value.message
    assert SECRET not in str(said.value.body)


def test_throttling_is_tried_again_and_validation_is_not(
    claude: anthropic.Anthropic, gpt: openai.OpenAI, worker: Worker, aws: Bedrock
) -> None:
    aws.tell(PROFILE, "429 ThrottlingException", "well")
    assert claude.messages.create(model=PROFILE, max_tokens=9, messages=MESSAGES).content
    assert [one.status for one in worker.records()[-1].attempts] == [429]
    aws.tell(PROFILE, "400 ValidationException")
    asked = aws.meter["asked"]
    with pytest.raises(anthropic.BadRequestError, match="told to say Validation") as told:
        claude.messages.create(model=PROFILE, max_tokens=9, messages=MESSAGES)
    assert told.value.body["error"]["type"] == "invalid_request_error"  # type: ignore[index]
    assert aws.meter["asked"] == asked + 1
    aws.tell(PROFILE, "429 ThrottlingException")
    with pytest.raises(openai.RateLimitError):
        gpt.chat.completions.create(model=PROFILE, messages=MESSAGES, max_tokens=9)
    aws.tell(PROFILE, "well")


def test_an_exception_in_the_middle_of_a_stream(
    claude: anthropic.Anthropic, gpt: openai.OpenAI, worker: Worker, aws: Bedrock
) -> None:
    aws.tell(PROFILE, "exception mid")
    before = len(worker.records())
    with pytest.raises(anthropic.APIStatusError, match="Too many tokens") as told:
        for _ in claude.messages.create(model=PROFILE, max_tokens=50, messages=MESSAGES, stream=True):
            pass
    assert told.value.body["error"]["type"] == "rate_limit_error"  # type: ignore[index]
    record = worker.recorded(before + 1)[-1]
    assert (record.error, record.estimated) == ("rate_limit_error", True)
    with pytest.raises(openai.APIError, match="Too many tokens"):
        for _ in gpt.chat.completions.create(model=PROFILE, messages=MESSAGES, max_tokens=9, stream=True):
            pass


@pytest.mark.parametrize("how", ["close mid", "reset mid", "corrupt mid"])
def test_a_cut_stream_is_settled_by_an_estimate(
    how: str, claude: anthropic.Anthropic, worker: Worker, aws: Bedrock
) -> None:
    apply(worker, aws, budgets=[{"scope": "workspace", "amount": "5"}])
    aws.tell(ARN, how)
    before = len(worker.records())
    with pytest.raises(anthropic.APIError):
        for _ in claude.messages.create(model=ARN, max_tokens=50, messages=MESSAGES, stream=True):
            pass
    record = worker.recorded(before + 1)[-1]
    assert record.error == {"corrupt mid": "answer_unreadable", "reset mid": "connection_broken"}.get(
        how, "stream_ended_early"
    )
    assert record.estimated
    assert record.cost is not None
    assert 0 < record.cost < Decimal("0.01")


def test_a_hard_budget_bounds_claude_on_bedrock(worker: Worker, aws: Bedrock) -> None:
    apply(worker, aws, budgets=[{"scope": "tenant", "amount": "0.0001"}])
    body = {"model": ARN, "max_tokens": 50, "messages": MESSAGES}
    named = {"x-api-key": KEY, "anthropic-version": "2023-06-01", "x-holdfast-tenant": "acme"}
    told = httpx2.post(worker.url + "/v1/messages", json=body, headers=named, verify=NO_TLS)
    assert (told.status_code, told.headers["x-holdfast-limit-kind"]) == (402, "budget")


@pytest.mark.parametrize("path", ["/v1/messages/count_tokens", "/v1/messages/batches"])
def test_what_bedrock_does_not_have_is_refused_by_name(path: str, worker: Worker) -> None:
    told = httpx2.post(
        worker.url + path, json={"model": PROFILE, "messages": MESSAGES}, verify=NO_TLS,
        headers={"x-api-key": KEY, "x-holdfast-model": PROFILE},
    )  # fmt: skip
    assert told.status_code == 400
    assert "it speaks bedrock" in told.json()["error"]["message"]


def test_inference_profiles_have_list_prices() -> None:
    for model in (PROFILE, ARN):
        found = Pricer().rates("aws.bedrock", model, datetime(2026, 11, 20, tzinfo=UTC))
        assert found is not None
        assert {name: found.bands[0][name] for name in PRICED} == PRICED
