"""How a piece of work ended: refused, failed, and whose failure it was."""

from __future__ import annotations

from typing import Final

from holdfast.telemetry.model import ErrorClass, Kind, Span

RATE_LIMIT: Final = (
    "ratelimit",
    "rate_limit",
    "rate limit",
    "too many requests",
    "toomanyrequests",
    "throttl",
    "resource_exhausted",
    "resourceexhausted",
    "quota",
)
TIMEOUT: Final = ("timeout", "timed out", "timed_out", "deadline_exceeded", "deadlineexceeded")
CONTENT_FILTER: Final = (
    "content_filter",
    "contentfilter",
    "content_policy",
    "responsibleai",
    "content management",
)
PROVIDER_MODULES: Final = (
    "openai.",
    "anthropic.",
    "google.genai",
    "google.api_core",
    "botocore.",
    "cohere.",
    "mistralai.",
    "groq.",
    "litellm.",
)
PROVIDER_ERRORS: Final = (
    "apierror",
    "api_error",
    "apicallerror",
    "apistatuserror",
    "apiconnectionerror",
    "internalservererror",
    "badrequesterror",
    "authenticationerror",
    "permissiondeniederror",
    "notfounderror",
    "unprocessableentityerror",
    "conflicterror",
    "overloaded",
    "serviceunavailable",
    "invalid_request_error",
    "authentication_error",
    "permission_error",
    "not_found_error",
    "modelerror",
)


def refusal(finish_reasons: tuple[str, ...], refused_in_content: bool | None) -> bool | None:
    """True when the model or its filter declined, False when an answer was seen that did not, None unknown."""
    if "refusal" in finish_reasons or "content_filter" in finish_reasons or refused_in_content:
        return True
    return False if finish_reasons or refused_in_content is False else None


def exception_type(span: Span) -> str | None:
    """The type named by the last exception event of a span."""
    for event in reversed(span.events):
        if event.name == "exception" or event.name == "gen_ai.client.operation.exception":
            kind = event.attributes.get("exception.type")
            if isinstance(kind, str) and kind:
                return kind
    return None


def error_class(
    span: Span, kind: Kind, error_type: str | None, http_status: int | None, raised: str | None
) -> ErrorClass | None:
    """Who or what failed; None when nothing did.

    A span failed when its status says so, when it carries error.type, or when its HTTP status is 400 or more.
    HTTP 429 is the rate limit, 408 and 504 a timeout; then the words of the error type, the exception and the
    status message decide; what is left of a call is the model's side when the provider answered or its SDK
    raised, and the application's own otherwise.
    """
    failed_by_http = http_status is not None and http_status >= 400
    if span.status != "error" and error_type is None and not failed_by_http:
        return None
    if error_type is not None and http_status is None and len(error_type) == 3 and error_type.isdecimal():
        http_status = int(error_type)
    if http_status == 429:
        return ErrorClass.RATE_LIMIT
    if http_status in (408, 504):
        return ErrorClass.TIMEOUT
    names = f"{error_type or ''} {raised or ''}".lower()
    words = f"{names} {span.status_message[:512].lower()}"
    for marks, found in (
        (RATE_LIMIT, ErrorClass.RATE_LIMIT),
        (TIMEOUT, ErrorClass.TIMEOUT),
        (CONTENT_FILTER, ErrorClass.CONTENT_FILTER),
    ):
        if any(mark in words for mark in marks):
            return found
    if kind.is_call and (
        (http_status is not None and http_status >= 400)
        or any(mark in names for mark in PROVIDER_MODULES)
        or any(mark in names for mark in PROVIDER_ERRORS)
        or "error code: 4" in words
        or "error code: 5" in words
    ):
        return ErrorClass.MODEL
    return ErrorClass.APPLICATION
