"""What the gateway must know of a protocol: what a request asks, how it is prepared, what an answer says.

A request's body stays a mapping of top-level fields to their raw bytes, so that whatever the gateway does not know passes
untouched. Answers pass byte for byte; they are read beside, for their usage.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple, Protocol

import msgspec

from holdfast.gateway.model import Dialect
from holdfast.kernel.errors import Invalid
from holdfast.pricing.model import Usage

OBJECT = dict[str, Any]
LIST = list[msgspec.Raw]
Body = dict[str, msgspec.Raw]
"""Top-level fields of a JSON request, each as its bytes."""
HOLDFAST = "holdfast"
"""A request's own field for the gateway (dimensions, variables); taken out before it goes upstream."""
LONGEST_EVENT = 4 << 20
"""Bytes of one server-sent event up to which it is read."""

_body = msgspec.json.Decoder(Body)
encode = msgspec.json.Encoder(decimal_format="number").encode


class Asked(NamedTuple):
    """What a request says, as far as the gateway cares. `max_output` is None where it names no maximum."""

    model: str
    stream: bool = False
    max_output: int | None = None
    choices: int = 1
    user: str = ""
    metadata: Mapping[str, Any] = {}
    stores: bool = False
    """Whether the upstream may keep the answer under its id, so that later requests about it must go there."""


class Answer(NamedTuple):
    """What an upstream's answer says. None is unknown; `complete` is False for a stream that was cut."""

    id: str | None = None
    model: str | None = None
    usage: Usage | None = None
    finish_reasons: tuple[str, ...] = ()
    service_tier: str | None = None
    error: str | None = None
    complete: bool = True
    output_bytes: int = 0
    """UTF-8 bytes of what was generated, as far as it was seen: what an estimate goes by."""


class Meter(Protocol):
    """Reads a stream beside the client."""

    @property
    def done(self) -> bool:
        """Whether the stream has said that it is complete, so that nothing more of worth can come."""

    def feed(self, chunk: bytes) -> bytes:
        """Takes what came; returns what goes on to the client."""

    def end(self) -> bytes:
        """What is left to send when the upstream's stream has ended."""

    def answer(self) -> Answer:
        """What the stream said until now."""


class Speech(Protocol):
    """One operation of one dialect. Stateless."""

    @property
    def dialect(self) -> Dialect:
        """The protocol that it belongs to."""

    @property
    def operation(self) -> str:
        """`gen_ai.operation.name`; empty where nothing is generated, so that it is no call."""

    def asked(self, path: str, body: Body) -> Asked:
        """What a request to `path` says. Raises Invalid with the field."""

    def prepared(self, body: Body, changes: Changes) -> bytes:
        """The body as it goes upstream."""

    def path(self, model: str, asked: Asked) -> str:
        """Where under the base URL it goes, with a query where the protocol puts one."""

    def answer(self, raw: bytes) -> Answer:
        """What a whole answer says; nothing known where it cannot be read."""

    def meter(self, asked: Asked, *, hide_usage: bool) -> Meter:
        """A meter for a stream. `hide_usage`: the usage was asked for by the gateway, not by the client."""


class Changes(NamedTuple):
    """What the gateway lays over a request."""

    model: str
    parameters: Mapping[str, Any] = {}
    max_output: int | None = None  # to be set where the request names none
    max_field: str = "max_tokens"  # by which name
    ask_usage: bool = False  # a stream is to tell its usage
    prompt: Sequence[Mapping[str, Any]] = ()  # messages of a managed prompt, before the request's own
    betas: Sequence[str] = ()  # of Anthropic's features, where a protocol wants them in the body


def parse(raw: bytes) -> Body:
    """A request's body. Raises Invalid where it is no JSON object."""
    try:
        return _body.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Invalid(f"the body must be a JSON object: {error}", where="body") from None


@cache
def _decoder(kind: Any) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(kind | None)


def field(body: Body, name: str, kind: Any, default: Any = None) -> Any:
    """A field of a body as `kind`; `default` where it is missing or null. Raises Invalid with its name."""
    raw = body.get(name)
    if raw is None:
        return default
    try:
        value = _decoder(kind).decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Invalid(f"{name}: {error}", where=name) from None
    return default if value is None else value


def model_of(body: Body) -> str:
    """The model that a request names. Raises Invalid."""
    model: str = field(body, "model", str, "")
    if not model or len(model) > 300:
        raise Invalid("name a model, of at most 300 characters", where="model")
    return model


def count_of(body: Body, name: str) -> int | None:
    """A whole number of 0 or more, None where it is missing. Raises Invalid."""
    found: int | None = field(body, name, int)
    if found is not None and found < 0:
        raise Invalid(f"{name} cannot be below 0", where=name)
    return found


def laid_over(body: Body, changes: Changes) -> dict[str, Any]:
    """The fields as they go upstream: without the gateway's own, the model and the release's parameters in place."""
    made: dict[str, Any] = {name: raw for name, raw in body.items() if name != HOLDFAST}
    made.update(changes.parameters)
    made["model"] = changes.model
    return made


def system_of(prompt: Sequence[Mapping[str, Any]]) -> list[str]:
    """The texts of a prompt's system messages, for protocols that keep them apart. Raises Invalid for other content."""
    found = []
    for message in prompt:
        if message.get("role") in ("system", "developer"):
            if not isinstance(message.get("content"), str):
                raise Invalid("in this protocol a prompt's system message must be text", where="prompt")
            found.append(message["content"])
    return found


def said_of(prompt: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """A prompt's messages that are not of the system."""
    return [message for message in prompt if message.get("role") not in ("system", "developer")]


class Events:
    """Cuts a stream of bytes into the data of server-sent events (WHATWG HTML, 9.2.6), over any cuts in between."""

    __slots__ = ("_rest", "lost")

    def __init__(self) -> None:
        self._rest = b""
        self.lost = False
        """Whether an event was too long to be read."""

    def feed(self, chunk: bytes) -> list[bytes]:
        """The data of the events whose lines are complete."""
        return [line[5:].strip() for line in self.lines(chunk) if line.startswith(b"data:")]

    def lines(self, chunk: bytes) -> list[bytes]:
        """The lines that are complete."""
        lines = (self._rest + chunk if self._rest else chunk).split(b"\n")
        self._rest = lines.pop()
        if len(self._rest) > LONGEST_EVENT:
            self._rest = b""
            self.lost = True
        return lines


class NamedEvents(Events):
    """The same with the events' names; empty for an event that has none."""

    __slots__ = ("_name",)

    def __init__(self) -> None:
        super().__init__()
        self._name = ""

    def named(self, chunk: bytes) -> list[tuple[str, bytes]]:
        """Name and data of each event whose lines are complete."""
        found = []
        for line in self.lines(chunk):
            if line.startswith(b"event:"):
                self._name = line[6:].strip().decode("utf-8", "replace")
            elif line.startswith(b"data:"):
                found.append((self._name, line[5:].strip()))
                self._name = ""
        return found
