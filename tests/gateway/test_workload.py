"""Upstreams that are asked as the machine itself: tokens and key pairs of its cloud, renewed, never printed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
from bedrock import SECRET, Bedrock
from clouds import Clouds
from running_gateway import KEY, Worker
from vendor import Vendor

from holdfast.gateway.proxy.signing import aws_key
from holdfast.kernel.errors import Invalid, Unavailable
from holdfast.platform.secrets.workload import Workloads
from holdfast.platform.settings import Settings
from running_core import NO_TLS

AWS = {
    "AWS_EC2_METADATA_DISABLED": "false",
    "AWS_CONFIG_FILE": "/dev/null",
    "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
}
PAIRS = [("ASIAONE", SECRET, "session/one=="), ("ASIATWO", SECRET, "session/two==")]
MESSAGES: Any = [{"role": "user", "content": "hi"}]


@pytest.fixture
def clouds() -> Iterator[Clouds]:
    made = Clouds(pairs=list(PAIRS))
    made.start()
    yield made
    made.stop()


class Clock:
    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def asked(tmp_path: Path, clouds: Clouds, monkeypatch: pytest.MonkeyPatch) -> tuple[Workloads, Clock]:
    """What stands for references, in this process."""
    for name in ("AZURE_CLIENT_ID", "AZURE_TENANT_ID", "AZURE_FEDERATED_TOKEN_FILE", "IDENTITY_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GCE_METADATA_HOST", clouds.host)
    monkeypatch.setenv("AZURE_POD_IDENTITY_AUTHORITY_HOST", f"http://{clouds.host}")
    monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", f"http://{clouds.host}")
    for name, value in AWS.items():
        monkeypatch.setenv(name, value)
    clock = Clock()
    return Workloads(Settings(data=tmp_path), clock), clock


def serve(folder: Path, upstream: dict[str, Any], **settings: str) -> Worker:
    made = Worker(folder, settings)
    made.apply({"upstreams": {"one": {"models": ["m"], **upstream}}})
    made.start()
    return made


def ask(worker: Worker, path: str = "/v1/chat/completions") -> httpx2.Response:
    body = {"model": "m", "messages": MESSAGES, "max_tokens": 9}
    named = {"authorization": f"Bearer {KEY}"}
    return httpx2.post(worker.url + path, json=body, headers=named, verify=NO_TLS, timeout=20)


def test_a_gateway_signs_as_the_role_of_its_instance(tmp_path: Path, clouds: Clouds) -> None:
    aws = Bedrock(secrets={access: (secret, token) for access, secret, token in PAIRS})
    aws.start()
    imds = {**AWS, "AWS_EC2_METADATA_SERVICE_ENDPOINT": f"http://{clouds.host}"}
    upstream = {"dialect": "bedrock", "base_url": aws.url, "region": "us-east-1"}
    worker = serve(tmp_path, {**upstream, "credential": "workload:aws"}, **imds)
    try:
        for _ in range(3):
            told = ask(worker)
            assert (told.status_code, aws.faults) == (200, [])
        assert aws.seen[-1]["headers"]["x-amz-security-token"] == "session/one=="
        assert clouds.given == 1, "kept, not asked for with each request"
        worker.apply({"upstreams": {"one": {"models": ["m"], **upstream}}})
        assert ask(worker).status_code == 200, "without a credential it is the machine that signs"
        log = worker.log.read_text()
        assert SECRET not in log
        assert "session/one" not in log
    finally:
        worker.kill()
        aws.stop()


def test_a_federated_token_becomes_a_bearer_for_azure(tmp_path: Path, clouds: Clouds, vendor: Vendor) -> None:
    file = tmp_path / "federated"
    file.write_text("jwt-of-the-cluster\n")
    settings = {
        "AZURE_FEDERATED_TOKEN_FILE": str(file),
        "AZURE_CLIENT_ID": "client-1",
        "AZURE_TENANT_ID": "tenant-1",
        "AZURE_AUTHORITY_HOST": f"http://{clouds.host}/",
    }
    upstream = {"dialect": "openai", "auth": "bearer", "base_url": vendor.url + "/v1"}
    worker = serve(tmp_path / "gw", {**upstream, "credential": "workload:azure"}, **settings)
    try:
        assert ask(worker).status_code == 200
        assert vendor.seen[-1]["headers"]["authorization"] == "Bearer token-1"
        method, path, _, form = clouds.asked[-1]
        assert (method, path) == ("POST", "/tenant-1/oauth2/v2.0/token")
        assert form == {
            "client_id": "client-1",
            "scope": "https://cognitiveservices.azure.com/.default",
            "grant_type": "client_credentials",
            "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            "client_assertion": "jwt-of-the-cluster",
        }
        ask(worker)
        assert len(clouds.asked) == 1
        assert "token-1" not in worker.log.read_text()
    finally:
        worker.kill()


def test_googles_metadata_gives_a_token_and_the_upstream_may_not_be_link_local(
    tmp_path: Path, clouds: Clouds, vendor: Vendor
) -> None:
    upstream = {
        "dialect": "openai",
        "auth": "bearer",
        "base_url": vendor.url + "/v1",
        "credential": "workload:gcp",
    }
    worker = serve(tmp_path, upstream, GCE_METADATA_HOST=clouds.host)
    try:
        assert ask(worker).status_code == 200
        assert vendor.seen[-1]["headers"]["authorization"] == "Bearer token-1"
        assert clouds.asked[-1][2]["metadata-flavor"] == "Google"
        for address in ("http://169.254.169.254", "http://metadata.google.internal"):
            worker.apply({"upstreams": {"one": {"models": ["m"], **upstream, "base_url": address}}})
            told = ask(worker)
            assert told.status_code in (502, 503), "the metadata itself is no upstream"
            assert len(clouds.asked) == 1
    finally:
        worker.kill()


def test_without_an_identity_it_is_said_so(tmp_path: Path, clouds: Clouds, vendor: Vendor) -> None:
    clouds.away = True
    upstream = {
        "dialect": "openai",
        "auth": "bearer",
        "base_url": vendor.url + "/v1",
        "credential": "workload:gcp",
    }
    worker = serve(tmp_path, upstream, GCE_METADATA_HOST=clouds.host)
    try:
        told = ask(worker)
        assert (told.status_code, "answered 503" in told.text) == (503, True)
    finally:
        worker.kill()


def test_a_token_is_asked_for_anew_before_it_ends(asked: tuple[Workloads, Clock], clouds: Clouds) -> None:
    workloads, clock = asked
    assert workloads.text("workload:gcp") == "token-1"
    clock.now += 3299
    assert workloads.fresh("workload:gcp") == "token-1"
    clock.now += 2
    assert workloads.fresh("workload:gcp") is None
    clouds.away = True
    assert workloads.text("workload:gcp") == "token-1", "it still holds"
    clouds.away = False
    assert workloads.text("workload:gcp") == "token-1", "not asked again at once"
    clock.now += 11
    assert workloads.text("workload:gcp") == "token-2"
    clouds.away = True
    clock.now += 3601
    with pytest.raises(Unavailable) as told:
        workloads.text("workload:gcp")
    assert "token" not in told.value.detail


def test_the_identity_of_an_azure_machine_and_of_an_app_service(
    asked: tuple[Workloads, Clock], clouds: Clouds, monkeypatch: pytest.MonkeyPatch
) -> None:
    workloads, clock = asked
    assert workloads.text("workload:azure") == "token-1"
    _, path, headers, query = clouds.asked[-1]
    assert (path, headers["metadata"]) == ("/metadata/identity/oauth2/token", "true")
    assert query == {"api-version": "2018-02-01", "resource": "https://cognitiveservices.azure.com"}
    clock.now += 3600
    monkeypatch.setenv("IDENTITY_ENDPOINT", f"http://{clouds.host}/msi")
    monkeypatch.setenv("IDENTITY_HEADER", "the-header")
    monkeypatch.setenv("AZURE_CLIENT_ID", "mine")
    clouds.life += clock.now  # it states an instant
    assert workloads.text("workload:azure") == "token-2"
    _, path, headers, query = clouds.asked[-1]
    assert (path, headers["x-identity-header"], query["client_id"]) == ("/msi", "the-header", "mine")


def test_a_key_pair_is_replaced_before_it_ends(
    asked: tuple[Workloads, Clock], clouds: Clouds, monkeypatch: pytest.MonkeyPatch
) -> None:
    workloads, clock = asked
    assert aws_key(workloads.text("workload:aws")).AccessKeyId == "ASIAONE"
    clock.now += 61
    assert aws_key(workloads.text("workload:aws")).AccessKeyId == "ASIAONE"
    later = datetime.now(UTC) + timedelta(seconds=clouds.life - 500)
    monkeypatch.setattr(workloads._aws, "_time_fetcher", lambda: later)
    clock.now += 61
    pair = aws_key(workloads.text("workload:aws"))
    assert (pair.AccessKeyId, pair.Token) == ("ASIATWO", "session/two==")


def test_key_pairs_from_variables(asked: tuple[Workloads, Clock], monkeypatch: pytest.MonkeyPatch) -> None:
    workloads, _ = asked
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAENV")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "of the environment")
    pair = aws_key(workloads.text("workload:aws"))
    assert (pair.AccessKeyId, pair.SecretAccessKey, pair.Token) == ("AKIAENV", "of the environment", "")


def test_other_clouds_are_not_known(asked: tuple[Workloads, Clock]) -> None:
    with pytest.raises(Invalid, match="workload:aws"):
        asked[0].text("workload:other")


@pytest.mark.parametrize(
    "text",
    ["AK:SK", json.dumps({"AccessKeyId": "AK", "SecretAccessKey": "SK"}),
     json.dumps({"Credentials": {"AccessKeyId": "AK", "SecretAccessKey": "SK", "Expiration": "x"}})],
)  # fmt: skip
def test_how_a_key_pair_is_written(text: str) -> None:
    pair = aws_key(text)
    assert (pair.AccessKeyId, pair.SecretAccessKey, pair.Token) == ("AK", "SK", "")


@pytest.mark.parametrize(
    "text", ["", "canary", "canary:", ":canary", '{"AccessKeyId": "canary"}', "{canary", "[1]"]
)
def test_what_is_no_key_pair_is_not_repeated(text: str) -> None:
    with pytest.raises(Unavailable) as told:
        aws_key(text)
    assert "canary" not in str(told.value.detail)
