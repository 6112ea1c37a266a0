"""OpenAI: stored completions and responses, output of batches; usage and costs of the organization, as API and CSV.

Buckets of usage and costs are not calls and never become any: they are kept as the vendor's own counting.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from holdfast.telemetry.imports import buckets, spans, values
from holdfast.telemetry.imports.litellm import answers
from holdfast.telemetry.imports.reader import Ignored, Item, Misfit, Tally, Told, Unmapped
from holdfast.telemetry.model import Attributes, Span

SOURCE: Final = "openai"
READ: Final = frozenset(
    (
        *(
            "id",
            "object",
            "created",
            "created_at",
            "completed_at",
            "model",
            "choices",
            "usage",
            "service_tier",
        ),
        *(
            "metadata",
            "output",
            "input",
            "messages",
            "tools",
            "instructions",
            "status",
            "error",
            "temperature",
        ),
        *("top_p", "max_output_tokens", "max_tokens", "max_completion_tokens", "seed", "user"),
        *("frequency_penalty", "presence_penalty", "reasoning_effort", "tool_choice", "system_fingerprint"),
        *("response_format", "request_id", "data", "parallel_tool_calls", "incomplete_details"),
        *("previous_response_id", "truncation", "text", "reasoning", "store", "background", "input_user"),
        *(
            "safety_identifier",
            "prompt_cache_key",
            "top_logprobs",
            "max_tool_calls",
            "conversation",
            "billing",
        ),
    )
)


class OpenAI:
    """See `reader.Reader`."""

    def __init__(self, told: Told) -> None:
        self.tally = Tally()
        self._told = told
        self._resource = told.resource

    def read(self, record: Any) -> Iterator[Item]:
        """A completion, a response, a line of batch output, or a bucket."""
        if not isinstance(record, dict):
            raise Misfit("it is no object")
        kind = record.get("object")
        if kind == "bucket":
            yield from buckets.openai(record, self.tally)
        elif "custom_id" in record and "response" in record:
            yield self._batch(record)
        elif kind in ("chat.completion", "text_completion", "response"):
            yield self._answer(record, str(record.get("id") or ""), batch=False)
        elif "start_time" in record and (
            "model" in record or "amount_value" in record or "line_item" in record
        ):
            yield from buckets.openai_csv(record, self.tally)
        elif "timestamp" in record and "n_context_tokens_total" in record:
            yield from buckets.openai_activity(record, self.tally)
        elif kind == "batch":
            yield Ignored("batches (their output files hold the calls)")
        elif "custom_id" in record and "body" in record:
            yield Ignored("requests of a batch (its output file holds the answers)")
        else:
            yield Unmapped(
                "it is no completion, response, line of batch output or bucket of usage or costs: is it from OpenAI?"
            )

    def _batch(self, record: dict[str, Any]) -> Span:
        answer = record.get("response") or {}
        body = answer.get("body") or {}
        identity = str(body.get("id") or record.get("id") or "")
        status = answer.get("status_code")
        if record.get("error") or (isinstance(status, int) and status >= 400):
            return self._failed(record, identity, status, body)
        return self._answer(body, identity, batch=True)

    def _failed(self, record: dict[str, Any], identity: str, status: Any, body: dict[str, Any]) -> Span:
        error = record.get("error") or body.get("error") or {}
        attributes: Attributes = {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": "openai",
            "error.type": str(error.get("code") or error.get("type") or status or "error"),
        }
        if isinstance(status, int) and 100 <= status < 600:
            attributes["http.response.status_code"] = status
        at = self._at(body)
        return self._made(identity, "chat", at, at, attributes, error=str(error.get("message") or "")[:4000])

    def _at(self, body: dict[str, Any]) -> int:
        at = values.nanoseconds(body.get("created") or body.get("created_at"), "created", "s")
        if at is None or at <= 0:
            at = self._told.at_ns
        if not at:
            raise Misfit(
                "it states no time: give one for such records with --at, such as the end of the batch"
            )
        return at

    def _answer(self, body: dict[str, Any], identity: str, *, batch: bool) -> Span:
        get = body.get
        if not identity:
            raise Misfit("it has no id")
        embedded = get("object") == "list" and isinstance(get("data"), list)
        operation = (
            "embeddings" if embedded else "text_completion" if get("object") == "text_completion" else "chat"
        )
        attributes: Attributes = {"gen_ai.operation.name": operation, "gen_ai.provider.name": "openai"}
        model = values.text(get("model"))
        if model:
            attributes["gen_ai.request.model"] = attributes["gen_ai.response.model"] = model
        attributes["gen_ai.response.id"] = identity
        tier = "batch" if batch else values.text(get("service_tier"))
        if tier:
            attributes["openai.response.service_tier"] = tier
        metadata = values.mapping(get("metadata"), "metadata")
        for name, value in metadata.items():
            if value is not None:
                attributes[f"openai.metadata.{name[:64]}"] = str(value)
        user = get("safety_identifier") or get("user")
        if user:
            attributes["user.id"] = str(user)
        self._said(attributes, body)
        usage = values.mapping(get("usage"), "usage")
        if usage:
            spans.openai_usage(attributes, usage)
        start = self._at(body)
        end = values.nanoseconds(get("completed_at"), "completed_at", "s") or start
        left = body.keys() - READ
        if left:
            self.tally.fields.update(name for name in left if body[name] not in (None, "", [], {}))
        failed = get("status") == "failed"
        if failed:
            attributes["error.type"] = str((get("error") or {}).get("code") or "failed")
        return self._made(identity, operation, start, end, attributes, error="failed" if failed else None)

    def _said(self, attributes: Attributes, body: dict[str, Any]) -> None:
        get = body.get
        names = ("temperature", "top_p", "max_tokens", "max_completion_tokens", "max_output_tokens", "seed")
        more = ("frequency_penalty", "presence_penalty", "reasoning_effort")
        stated = {name: _plain(get(name)) for name in (*names, *more) if get(name) is not None}
        reasoning = get("reasoning")
        if isinstance(reasoning, dict) and reasoning.get("effort"):
            stated["reasoning_effort"] = reasoning["effort"]
        spans.parameters(attributes, stated)
        spans.tools(attributes, get("tools"))
        if get("instructions"):
            instructions = get("instructions")
            attributes["gen_ai.system_instructions"] = values.json_text(
                [instructions] if isinstance(instructions, str) else instructions
            )
        spans.asked(attributes, get("messages") or get("input"))
        answers(attributes, body)
        output = get("output")
        if isinstance(output, list) and output:
            spans.answered(attributes, output)
            reason = (get("incomplete_details") or {}).get("reason")
            attributes["gen_ai.response.finish_reasons"] = [reason or "stop"]

    def _made(
        self,
        identity: str,
        operation: str,
        start: int,
        end: int,
        attributes: Attributes,
        *,
        error: str | None,
    ) -> Span:
        ids = (values.trace_id(SOURCE, identity), values.span_id(SOURCE, identity), "")
        name = f"{operation} {attributes.get('gen_ai.request.model', '')}".strip()
        return spans.make(SOURCE, ids, name, (start, end), attributes, self._resource, error=error)


def _plain(value: Any) -> Any:
    """A number that was read exactly, as attributes hold it."""
    exact = values.decimal(value) if not isinstance(value, (str, bool, int)) else None
    return value if exact is None else float(exact)
