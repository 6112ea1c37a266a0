"""Anthropic: results of message batches and messages; usage and cost reports of the organization.

Buckets of the reports are not calls and never become any. A message states no time: `--at` gives it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from holdfast.telemetry.imports import buckets, spans, values
from holdfast.telemetry.imports.reader import Ignored, Item, Misfit, Tally, Told, Unmapped
from holdfast.telemetry.model import Attributes, Span

SOURCE: Final = "anthropic"
READ: Final = frozenset(
    (
        *("id", "type", "role", "content", "model", "stop_reason", "stop_sequence", "usage", "container"),
        *("created_at", "stop_details", "context_management", "diagnostics"),
    )
)


class Anthropic:
    """See `reader.Reader`."""

    def __init__(self, told: Told) -> None:
        self.tally = Tally()
        self._told = told
        self._resource = told.resource

    def read(self, record: Any) -> Iterator[Item]:
        """A result of a batch, a message, or a bucket."""
        if not isinstance(record, dict):
            raise Misfit("it is no object")
        if "starting_at" in record and "results" in record:
            yield from buckets.anthropic(record, self.tally)
        elif "custom_id" in record and "result" in record:
            yield self._result(record)
        elif record.get("type") == "message":
            yield self._message(record, batch=False)
        elif "custom_id" in record and "params" in record:
            yield Ignored("requests of a batch (its results file holds the answers)")
        else:
            yield Unmapped(
                "it is no message, no result of a batch and no bucket of usage or costs: is it from Anthropic?"
            )

    def _result(self, record: dict[str, Any]) -> Item:
        result = record["result"]
        kind = result.get("type")
        if kind == "succeeded":
            return self._message(result["message"], batch=True)
        if kind in ("canceled", "expired"):
            return Ignored("requests of a batch that were never run")
        if kind != "errored":
            raise Misfit(f"its result is {values.shown(kind)}, which is not read here")
        told = result.get("error") or {}
        error = told.get("error") or told
        identity = f"{told.get('request_id') or ''}{record['custom_id']}@{self._at({})}"
        attributes: Attributes = {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": "anthropic",
            "error.type": str(error.get("type") or "error"),
        }
        return self._made(identity, self._at({}), attributes, error=str(error.get("message") or "")[:4000])

    def _at(self, message: dict[str, Any]) -> int:
        at = values.nanoseconds(message.get("created_at"), "created_at") or self._told.at_ns
        if not at:
            raise Misfit(
                "it states no time: give one for such records with --at, such as the end of the batch"
            )
        return at

    def _message(self, message: dict[str, Any], *, batch: bool) -> Span:
        get = message.get
        identity = values.text(get("id"))
        if not identity:
            raise Misfit("it has no id")
        attributes: Attributes = {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": "anthropic",
            "gen_ai.response.id": identity,
        }
        model = values.text(get("model"))
        if model:
            attributes["gen_ai.request.model"] = attributes["gen_ai.response.model"] = model
        if get("stop_reason"):
            attributes["gen_ai.response.finish_reasons"] = [str(get("stop_reason"))]
        usage = values.mapping(get("usage"), "usage")
        spans.anthropic_usage(attributes, usage)
        tier = values.text(usage.get("service_tier")) or ("batch" if batch else None)
        if tier:
            attributes["gen_ai.response.service_tier"] = tier
        content = get("content")
        if content:
            spans.answered(attributes, [{"role": "assistant", "content": content}])
        left = message.keys() - READ
        if left:
            self.tally.fields.update(name for name in left if message[name] not in (None, "", [], {}))
        return self._made(identity, self._at(message), attributes, error=None)

    def _made(self, identity: str, at: int, attributes: Attributes, *, error: str | None) -> Span:
        ids = (values.trace_id(SOURCE, identity), values.span_id(SOURCE, identity), "")
        name = f"chat {attributes.get('gen_ai.request.model', '')}".strip()
        return spans.make(SOURCE, ids, name, (at, at), attributes, self._resource, error=error)
