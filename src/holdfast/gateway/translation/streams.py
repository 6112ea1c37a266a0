"""A stream of server-sent events, in the other dialect, event by event."""

from __future__ import annotations

from typing import Protocol

from holdfast.gateway.model import Dialect
from holdfast.gateway.translation.stream_to_anthropic import ToAnthropic
from holdfast.gateway.translation.stream_to_openai import ToOpenAI
from holdfast.gateway.translation.words import Untranslatable


class Stream(Protocol):
    """One answer on its way. Nothing is held back but what the other dialect says later."""

    finished: bool
    """Whether the upstream has said that the answer is complete."""

    def feed(self, event: str, data: bytes) -> bytes:
        """The client's events (whole ones, often none) for one event of the upstream: its name, which may be empty,
        and its data.

        Raises Untranslatable for what cannot be said, and msgspec.DecodeError for data that is no JSON: the client is
        then told with `dialects.errors.error_event`, and the stream is over.
        """
        ...

    def end(self) -> bytes:
        """The client's last events, once the upstream's stream has ended. An answer that was cut ends in the dialect's
        own error event, after an error event nothing more is said.
        """
        ...


def stream(source: Dialect, target: Dialect, *, created: int, include_usage: bool) -> Stream:
    """A stream from an upstream that speaks `source` to a client that speaks `target`.

    `created` (Unix seconds) and `include_usage` (the client's `stream_options.include_usage`) are for OpenAI's chunks.
    """
    if (source, target) == (Dialect.ANTHROPIC, Dialect.OPENAI):
        return ToOpenAI(created=created, include_usage=include_usage)
    if (source, target) == (Dialect.OPENAI, Dialect.ANTHROPIC):
        return ToAnthropic()
    raise Untranslatable(f"Streams are not translated from {source} to {target}.")
