"""Errors in the client's dialect: the official clients raise what their users catch."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import anthropic
import openai
import pytest
from tests.gateway.translation.desk import Desk, open_desk
from tests.gateway.translation.said import ANTHROPIC, OPENAI, ask, chat, events

from holdfast.gateway.dialects.errors import error, error_event, error_type, read, status_of
from holdfast.gateway.model import Dialect


@pytest.fixture(scope="module")
def desk() -> Iterator[Desk]:
    with open_desk() as desk:
        yield desk


STATUSES = {
    400: ("invalid_request_error", "invalid_request_error", "INVALID_ARGUMENT"),
    401: ("authentication_error", "authentication_error", "UNAUTHENTICATED"),
    402: ("insufficient_quota", "billing_error", "RESOURCE_EXHAUSTED"),
    403: ("permission_error", "permission_error", "PERMISSION_DENIED"),
    404: ("not_found_error", "not_found_error", "NOT_FOUND"),
    413: ("invalid_request_error", "request_too_large", "INVALID_ARGUMENT"),
    422: ("invalid_request_error", "invalid_request_error", "INVALID_ARGUMENT"),
    429: ("rate_limit_error", "rate_limit_error", "RESOURCE_EXHAUSTED"),
    500: ("server_error", "api_error", "INTERNAL"),
    502: ("server_error", "api_error", "INTERNAL"),
    503: ("server_error", "overloaded_error", "UNAVAILABLE"),
    504: ("server_error", "timeout_error", "DEADLINE_EXCEEDED"),
    529: ("server_error", "overloaded_error", "UNAVAILABLE"),
}


@pytest.mark.parametrize("status", STATUSES)
def test_the_vendors_own_word_for_a_status(status: int) -> None:
    dialects = OPENAI, ANTHROPIC, Dialect.GEMINI
    assert tuple(error_type(status, one) for one in dialects) == STATUSES[status]


def test_the_shape_of_each_dialect() -> None:
    said = {
        one: json.loads(error(429, "Too much", "budget_exhausted", one, "model", request_id="r1"))
        for one in Dialect
    }
    assert said == {
        OPENAI: {
            "error": {
                "message": "Too much",
                "type": "rate_limit_error",
                "param": "model",
                "code": "budget_exhausted",
            }
        },
        ANTHROPIC: {
            "type": "error",
            "error": {
                "type": "rate_limit_error",
                "message": "Too much",
                "details": {"error_code": "budget_exhausted"},
            },
            "request_id": "r1",
        },
        Dialect.GEMINI: {"error": {"code": 429, "message": "Too much", "status": "RESOURCE_EXHAUSTED"}},
        Dialect.BEDROCK: {"message": "Too much"},
    }
    assert json.loads(error(500, "Oh", "", ANTHROPIC)) == {
        "type": "error",
        "error": {"type": "api_error", "message": "Oh"},
    }
    assert json.loads(error(500, "Oh", "", OPENAI))["error"]["code"] is None


def test_an_event_of_each_dialect() -> None:
    for one, name in ((OPENAI, ""), (ANTHROPIC, "error"), (Dialect.GEMINI, "")):
        ((found, data),) = events(error_event("Line\nbreak", "upstream_cut", one, status=503))
        assert found == name
        assert data == error(503, "Line\nbreak", "upstream_cut", one) and b"\n" not in data


@pytest.mark.parametrize(
    ("status", "of_openai", "of_anthropic"),
    [
        (400, openai.BadRequestError, anthropic.BadRequestError),
        (401, openai.AuthenticationError, anthropic.AuthenticationError),
        (402, openai.APIStatusError, anthropic.APIStatusError),
        (403, openai.PermissionDeniedError, anthropic.PermissionDeniedError),
        (404, openai.NotFoundError, anthropic.NotFoundError),
        (413, openai.APIStatusError, anthropic.APIStatusError),
        (429, openai.RateLimitError, anthropic.RateLimitError),
        (503, openai.InternalServerError, anthropic.InternalServerError),
    ],
)
def test_the_official_clients_raise_their_own(
    desk: Desk, status: int, of_openai: Any, of_anthropic: Any
) -> None:
    desk.says(error(status, "Too much", "budget_exhausted", OPENAI, "model"), status=status)
    with pytest.raises(of_openai, match="Too much") as raised:
        desk.openai.chat.completions.create(**chat())
    assert raised.value.code == "budget_exhausted" and raised.value.param == "model"
    assert raised.value.type == error_type(status, OPENAI)
    desk.says(error(status, "Too much", "budget_exhausted", ANTHROPIC, request_id="r1"), status=status)
    with pytest.raises(of_anthropic, match="Too much") as other:
        desk.anthropic.messages.create(**ask())
    assert other.value.type == error_type(status, ANTHROPIC)
    assert other.value.error_code == "budget_exhausted"


@pytest.mark.parametrize("dialect", [OPENAI, ANTHROPIC])
@pytest.mark.parametrize("status", [400, 401, 402, 403, 429, 500, 503])
def test_what_was_written_is_read(dialect: Dialect, status: int) -> None:
    message, kind = read(error(status, "Too much", "budget_exhausted", dialect))
    assert (message, kind) == ("Too much", error_type(status, dialect))
    assert error_type(status_of(kind), ANTHROPIC) in (
        error_type(status, ANTHROPIC),
        "api_error",  # OpenAI has one word for all that is the server's fault
    )


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"", ("", "")),
        (b"<html>502</html>", ("", "")),
        (b"\xff", ("", "")),
        (b"[]", ("", "")),
        (b"7", ("", "")),
        (b'{"error": 7}', ("", "")),
        (b'{"error": "no such model"}', ("no such model", "")),
        (b'{"error": {"message": 7, "type": 8}}', ("", "")),
        (b'{"message": "Denied", "__type": "AccessDenied"}', ("Denied", "AccessDenied")),
        (b'[{"error": {"code": 429, "message": "Too much", "status": "X"}}]', ("Too much", "X")),
        (
            b'{"object": "error", "message": "Too long", "type": "BadRequestError"}',
            ("Too long", "BadRequestError"),
        ),
    ],
)
def test_what_upstreams_say(body: bytes, expected: tuple[str, str]) -> None:
    assert read(body) == expected
    assert status_of(expected[1]) == 500
