"""Errors as HTTP: every one of ours, the framework's, and surprises that must not leak."""

from __future__ import annotations

import logging

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from holdfast.kernel import errors
from holdfast.web import problems


@pytest.fixture
def client() -> TestClient:
    app = FastAPI()
    problems.install(app, lambda request, problem: f"<h1>{problem.title}</h1>{problem.detail}")

    @app.get("/raise/{name}")
    def fail(name: str) -> None:
        raise getattr(errors, name)("said to the reader", where="field", retry_after=7)

    @app.get("/broken")
    def broken() -> None:
        raise RuntimeError("password=hunter2")

    @app.get("/typed")
    def typed(n: int) -> int:
        return n

    return TestClient(app, raise_server_exceptions=False)


@pytest.mark.parametrize("error", errors.HoldfastError.__subclasses__())
def test_each_error_has_its_status_and_members(client: TestClient, error: type[errors.HoldfastError]) -> None:
    answer = client.get(f"/raise/{error.__name__}")
    assert answer.status_code == error.status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["retry-after"] == "7"
    body = answer.json()
    assert body["type"].startswith("urn:holdfast:problem:") and body["type"] == body["type"].lower()
    assert (body["title"], body["status"], body["where"]) == (error.title, error.status, "field")
    assert body["detail"] == "said to the reader" and body["instance"] == f"/raise/{error.__name__}"


def test_unauthenticated_names_the_scheme(client: TestClient) -> None:
    assert client.get("/raise/Unauthenticated").headers["www-authenticate"] == "Bearer"


def test_no_such_page_and_no_such_method(client: TestClient) -> None:
    assert client.get("/nowhere").json()["type"] == "urn:holdfast:problem:not-found"
    answer = client.post("/typed")
    assert answer.status_code == 405 and answer.json()["type"] == "urn:holdfast:problem:method-not-allowed"
    assert answer.headers["allow"] == "GET"


def test_a_bad_request_names_the_place_and_does_not_repeat_the_value(client: TestClient) -> None:
    answer = client.get("/typed", params={"n": "s3cret"})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["where"] == "query.n"
    assert "s3cret" not in answer.text


def test_a_surprise_has_a_reference_that_the_log_knows_and_leaks_nothing(
    client: TestClient, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR, "holdfast.web"):
        answer = client.get("/broken")
    assert answer.status_code == 500
    assert "hunter2" not in answer.text and "RuntimeError" not in answer.text
    assert answer.json()["reference"] in caplog.text and "hunter2" in caplog.text


def test_people_get_a_page(client: TestClient) -> None:
    answer = client.get("/broken", headers={"accept": "text/html,application/xhtml+xml,*/*;q=0.8"})
    assert answer.status_code == 500 and answer.headers["content-type"].startswith("text/html")
    assert "hunter2" not in answer.text


@pytest.mark.parametrize(
    ("accept", "html"),
    [
        ("", False), ("*/*", False), ("text/html", True), ("application/json, text/html;q=0.5", False),
        ("text/html;q=0", False), ("text/html, application/json", True), ("application/problem+json", False),
    ],
)  # fmt: skip
def test_who_prefers_a_page(accept: str, html: bool) -> None:
    assert problems.prefers_html(accept) is html
