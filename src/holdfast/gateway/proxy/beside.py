"""What the gateway does beside a request that it passes through: it counts what a batch may cost, and follows batches.

The file of a batch is read as it streams by; when the vendor has taken it, its bound is remembered under the file's id. When
the batch is made, that bound is set aside in every budget over it, before the vendor hears of it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Protocol

import msgspec
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from holdfast.gateway.dialects.speech import field, parse
from holdfast.gateway.model import Dialect, Workspace
from holdfast.gateway.proxy.batches import Batches, Open
from holdfast.gateway.proxy.gateway import Gateway
from holdfast.gateway.proxy.records import Record
from holdfast.gateway.rules.batches import Lines, Most, Tally, standing
from holdfast.gateway.rules.bound import Bound
from holdfast.gateway.rules.inputs import Unbounded
from holdfast.gateway.rules.resolving import Decision, Step
from holdfast.kernel.errors import Invalid

CREATED = frozenset({"/v1/batches", "/v1/messages/batches"})
UNKNOWN = frozenset({"connection_broken", "timeout", "client_closed_request"})
"""Errors after which the vendor may have done what it was asked for."""
_FOLLOWED = re.compile(r"/v1/(?:messages/)?batches/([^/]+)(?:/cancel)?")
NOT_SEEN = (
    "its input file was not uploaded through this gateway, or too long ago, so what it may cost is not known;"
    " upload it again"
)


class Beside(Protocol):
    """Goes along with one request."""

    async def begin(self) -> None:
        """Before it is sent. Raises HoldfastError where it may not be."""

    def saw(self, chunk: bytes) -> None:
        """Some of its body goes by."""

    def over(self, record: Record, raw: bytes) -> None:
        """It is over, however it ended; `raw` is what was answered."""


def beside(
    gateway: Gateway,
    batches: Batches,
    method: str,
    path: str,
    headers: Mapping[str, str],
    decision: Decision,
    step: Step,
    record: Record,
    body: bytes | None,
) -> Beside | None:
    """What goes along with a request; None for most."""
    if method == "POST" and path == "/v1/files":
        return _Upload(gateway, headers.get("content-type", ""), decision.workspace, step)
    if method == "POST" and path in CREATED:
        return _Creation(gateway, batches, decision, step, record, body)
    if _FOLLOWED.fullmatch(path):
        return _Following(batches)
    return None


def held_by(path: str, body: bytes | None) -> str:
    """The id of what a request is about, where a vendor keeps that; empty where it is about nothing kept."""
    if body is not None and path == "/v1/batches":
        return str(field(parse(body), "input_file_id", str, ""))
    found = re.match(r"/v1/(?:responses|files|(?:messages/)?batches)/([^/]+)", path)
    return found[1] if found else ""


class _Following:
    """A look at a batch, or its cancelling."""

    def __init__(self, batches: Batches) -> None:
        self._batches = batches

    async def begin(self) -> None:
        """Nothing is to be done."""

    def saw(self, chunk: bytes) -> None:
        """Nothing is to be read."""

    def over(self, record: Record, raw: bytes) -> None:
        """A batch that is over is settled now."""
        found = standing(raw) if _good(record) else None
        if found is not None and found.over:
            self._batches.seen(record.workspace, found.id)


class _Upload:
    """A file on its way: `multipart/form-data`, read for what a batch of its lines may cost."""

    def __init__(self, gateway: Gateway, kind: str, workspace: Workspace, step: Step) -> None:
        self._gateway = gateway
        self._workspace = workspace
        self._step = step
        self._tally = _tally(workspace, step)
        self._lines = Lines()
        self._name = self._purpose = ""
        self._header: list[bytes] = [b"", b""]
        _, options = parse_options_header(kind)
        self._parser: MultipartParser | None = None
        if b"boundary" in options:
            callbacks: Any = {
                "on_part_begin": self._begun,
                "on_header_field": lambda data, start, end: self._said(0, data[start:end]),
                "on_header_value": lambda data, start, end: self._said(1, data[start:end]),
                "on_header_end": self._headed,
                "on_part_data": self._came,
            }
            self._parser = MultipartParser(options[b"boundary"], callbacks)

    async def begin(self) -> None:
        """Nothing is to be done."""

    def saw(self, chunk: bytes) -> None:
        """Reads on; what is no form is not read further."""
        if self._parser is not None:
            try:
                self._parser.write(chunk)
            except FormParserError:
                self._parser = None

    def over(self, record: Record, raw: bytes) -> None:
        """Remembers where the file is, and its bound."""
        id = _id_of(raw) if _good(record) else ""
        if not id:
            return
        memory = self._gateway.memory
        memory.keep(self._step.name, self._workspace.id, id)
        if self._parser is None or self._purpose != "batch":
            return
        for line in self._lines.end():
            self._tally.line(line)
        if not self._lines.lost:
            memory.keep(msgspec.json.encode(self._tally.most()).decode(), self._workspace.id, "most", id)

    def _begun(self) -> None:
        self._name, self._header = "", [b"", b""]

    def _said(self, place: int, text: bytes) -> None:
        self._header[place] += text

    def _headed(self) -> None:
        name, value = self._header
        self._header = [b"", b""]
        if name.lower() == b"content-disposition":
            _, options = parse_options_header(value)
            self._name = options.get(b"name", b"").decode(errors="replace")

    def _came(self, data: bytes, start: int, end: int) -> None:
        if self._name == "purpose":
            self._purpose = (self._purpose + data[start:end].decode(errors="replace"))[:100]
        elif self._name == "file" and self._purpose in ("", "batch"):
            for line in self._lines.feed(data[start:end]):
                self._tally.line(line)


class _Creation:
    """A batch that is to be made."""

    def __init__(
        self,
        gateway: Gateway,
        batches: Batches,
        decision: Decision,
        step: Step,
        record: Record,
        body: bytes | None,
    ) -> None:
        self._gateway = gateway
        self._batches = batches
        self._decision = decision
        self._step = step
        self._record = record
        self._body = body
        self._one: Open | None = None

    async def begin(self) -> None:
        """Sets its bound aside. Raises OverLimit."""
        most = await self._most()
        one = self._one = self._batches.begin(self._record, self._step.name, most)
        known: Bound | Unbounded = Unbounded(NOT_SEEN if most is None else most.reason)
        if most is not None and not most.reason:
            known = Bound(most.tokens, 0, most.amount, most.currency)
        model = most.models[0] if most is not None and len(most.models) == 1 else self._step.model
        await self._gateway.purse.reserve_batch(self._decision, self._record, one.name, known, model)
        one.sent = True
        self._batches.keep(one)

    async def _most(self) -> Most | None:
        workspace = self._decision.workspace
        if self._body is None:
            return None
        if self._record.dialect is Dialect.ANTHROPIC:
            tally = _tally(workspace, self._step)
            tally.requests(self._body)
            return tally.most()
        found = await self._gateway.memory.found(workspace.id, "most", held_by("/v1/batches", self._body))
        return msgspec.json.decode(found, type=Most) if found else None

    def saw(self, chunk: bytes) -> None:
        """Its body was read before."""

    def over(self, record: Record, raw: bytes) -> None:
        """The vendor has it, or has not, or nobody knows."""
        one, self._one = self._one, None
        if one is None:
            return
        if record.error in UNKNOWN and one.sent:
            self._batches.unknown(one, str(record.error))
        elif not _good(record) or not one.sent:
            self._batches.dropped(one)
        elif id := _id_of(raw):
            self._gateway.memory.keep(self._step.name, record.workspace, id)
            self._batches.made(one, id)
        else:
            self._batches.unknown(one, "answer_unreadable")


def _tally(workspace: Workspace, step: Step) -> Tally:
    prices = workspace.batch_rates_of(step.name)
    return Tally(step.name, step.upstream.dialect, prices)


def _good(record: Record) -> bool:
    return record.error is None and record.status is not None and record.status < 300


def _id_of(raw: bytes) -> str:
    """The id that an answer states; empty where it is none."""
    try:
        return str(field(parse(raw), "id", str, ""))
    except Invalid:
        return ""
