"""LiteLLM: rows of its spend log (`LiteLLM_SpendLogs`) and the payloads that its file, S3 and GCS loggers write.

Both say the same of a call and give the same id, so that a call that is in both is one call.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from holdfast.telemetry.imports import spans, values
from holdfast.telemetry.imports.reader import Ignored, Item, Misfit, Tally, Told
from holdfast.telemetry.model import Attributes, Span

SOURCE: Final = "litellm"
OPERATIONS: Final = {"embedding": "embeddings", "rerank": "rerank", "text_completion": "text_completion"}
NO_MODEL: Final = frozenset(("call_mcp_tool", "list_mcp_tools", "health", "route"))
READ: Final = frozenset(
    (
        *("id", "request_id", "litellm_call_id", "call_type", "status", "startTime", "endTime"),
        *("completionStartTime", "model", "model_group", "custom_llm_provider", "api_base", "user"),
        *("end_user", "team_id", "session_id", "trace_id", "metadata", "cache_hit", "request_tags"),
        *("messages", "response", "model_parameters", "response_cost", "spend", "prompt_tokens"),
        *("completion_tokens", "total_tokens", "stream", "error_information", "error_str"),
        *("proxy_server_request", "organization_id"),
    )
)
LEFT: Final = frozenset(
    (
        *("api_key", "cache_key", "model_id", "requester_ip_address", "user_agent", "hidden_params"),
        *("model_map_information", "cost_breakdown", "response_time", "saved_cache_cost", "status_fields"),
        *("guardrail_information", "standard_built_in_tools_params", "request_duration_ms", "created_at"),
        *("updated_at", "mcp_namespaced_tool_name", "billing_agent_id", "agent_id", "autorouter_savings"),
        *("autorouter_savings_estimate", "autorouter_baseline_observation", "request_model_access_groups"),
        *("response_cost_failure_debug_info", "cost_breakdown", "key_alias", "team_alias"),
    )
)
"""Known, and either said elsewhere in the record or of no meaning outside LiteLLM; some are addresses or hashed keys."""


class LiteLLM:
    """See `reader.Reader`."""

    def __init__(self, told: Told) -> None:
        self.tally = Tally()
        self._resource = told.resource

    def read(self, record: Any) -> Iterator[Item]:
        """One call, whether it succeeded or not."""
        if not isinstance(record, dict):
            raise Misfit("it is no object")
        if "call_type" not in record and "startTime" not in record:
            raise Misfit(
                "it has neither call_type nor startTime: is it a row of LiteLLM's spend log or of a logger?"
            )
        call_type = str(record.get("call_type") or "").removeprefix("a")
        if call_type in NO_MODEL:
            yield Ignored("requests that asked no model")
            return
        yield self._span(record, call_type)
        left = record.keys() - READ - LEFT
        if left:
            self.tally.fields.update(name for name in left if record[name] not in (None, "", [], {}))

    def _span(self, record: dict[str, Any], call_type: str) -> Span:
        get = record.get
        identity = get("request_id") or get("id") or get("litellm_call_id")
        if not identity or not isinstance(identity, str):
            raise Misfit("it has no id (request_id, id or litellm_call_id)")
        start = values.nanoseconds(get("startTime"), "startTime")
        if start is None:
            raise Misfit("it has no startTime")
        end = values.nanoseconds(get("endTime"), "endTime") or start
        metadata = values.mapping(get("metadata"), "metadata")
        failed = get("status") == "failure" or metadata.get("status") == "failure"
        attributes: Attributes = {"gen_ai.operation.name": OPERATIONS.get(call_type, "chat")}
        self._who(attributes, record, metadata)
        response = values.parsed(get("response"), "response")
        response = response if isinstance(response, dict) else {}
        self._model(attributes, record, response)
        self._asked(attributes, record, response)
        first = values.nanoseconds(get("completionStartTime"), "completionStartTime")
        if first is not None and start <= first < end:
            attributes["gen_ai.response.time_to_first_chunk"] = (first - start) / 1e9
        error = None
        if failed:
            error = _failure(attributes, record, metadata)
        else:
            self._bill(attributes, record, metadata)
        return spans.make(
            SOURCE,
            (values.trace_id(SOURCE, identity), values.span_id(SOURCE, identity), ""),
            f"{attributes['gen_ai.operation.name']} {get('model') or ''}".strip(),
            (start, end),
            attributes,
            self._resource,
            error=error,
        )

    def _who(self, attributes: Attributes, record: dict[str, Any], metadata: dict[str, Any]) -> None:
        get, more = record.get, metadata.get
        tags = values.parsed(get("request_tags"), "request_tags")
        for name, value in (
            (
                "user.id",
                get("end_user")
                or more("user_api_key_end_user_id")
                or get("user")
                or more("user_api_key_user_id"),
            ),
            (
                "holdfast.tenant",
                more("user_api_key_team_alias") or get("team_id") or more("user_api_key_team_id"),
            ),
            ("gen_ai.conversation.id", get("session_id") or get("trace_id")),
            ("litellm.key_alias", more("user_api_key_alias")),
            ("litellm.organization", get("organization_id") or more("user_api_key_org_id")),
            ("litellm.model_group", get("model_group")),
            ("litellm.call_id", get("litellm_call_id") or more("litellm_call_id")),
            ("litellm.tags", tags),
        ):
            if value:
                attributes[name] = value if isinstance(value, (str, list)) else str(value)

    def _model(self, attributes: Attributes, record: dict[str, Any], response: dict[str, Any]) -> None:
        get = record.get
        model, provider = values.text(get("model")), values.text(get("custom_llm_provider"))
        if model and provider and model.startswith(f"{provider}/"):
            model = model[len(provider) + 1 :]
        elif model and not provider and "/" in model:
            provider, _, model = model.partition("/")
        for name, value in (
            ("gen_ai.provider.name", provider),
            ("gen_ai.request.model", model),
            ("gen_ai.response.model", values.text(response.get("model"))),
            ("gen_ai.response.id", values.text(response.get("id"))),
            ("gen_ai.response.service_tier", values.text(response.get("service_tier"))),
        ):
            if value:
                attributes[name] = value

    def _asked(self, attributes: Attributes, record: dict[str, Any], response: dict[str, Any]) -> None:
        get = record.get
        stated = values.mapping(get("model_parameters"), "model_parameters")
        sent = values.parsed(get("proxy_server_request"), "proxy_server_request")
        sent = sent if isinstance(sent, dict) else {}
        spans.parameters(attributes, stated or {k: v for k, v in sent.items() if k in spans.PARAMETERS})
        if get("stream") is True:
            attributes["gen_ai.request.stream"] = True
        spans.tools(attributes, stated.get("tools") or sent.get("tools"))
        messages = values.parsed(get("messages"), "messages")
        spans.asked(attributes, messages or sent.get("messages") or sent.get("input"))
        answers(attributes, response)

    def _bill(self, attributes: Attributes, record: dict[str, Any], metadata: dict[str, Any]) -> None:
        """Tokens and the cost that LiteLLM reckoned. An answer from LiteLLM's own cache was billed by nobody."""
        get = record.get
        if values.flag(get("cache_hit")) is True:
            self.tally.remarks[
                "calls answered by LiteLLM's own cache: nobody billed them, so they count with 0 tokens"
            ] += 1
            attributes["litellm.cache_hit"] = True
            for name, field in (("input", "prompt_tokens"), ("output", "completion_tokens")):
                saved = values.whole(get(field), field)
                if saved:
                    attributes[f"litellm.cached.{name}_tokens"] = saved
                attributes[f"gen_ai.usage.{name}_tokens"] = 0
            attributes["gen_ai.usage.cost"] = 0.0
            return
        usage = metadata.get("usage_object")
        if isinstance(usage, dict) and usage:
            spans.openai_usage(attributes, usage)
        for name, field in (("input", "prompt_tokens"), ("output", "completion_tokens")):
            if f"gen_ai.usage.{name}_tokens" not in attributes:
                count = values.whole(get(field), field)
                if count is not None:
                    attributes[f"gen_ai.usage.{name}_tokens"] = count
        stated = get("spend")
        cost = values.decimal(get("response_cost") if stated is None else stated, "spend")
        if cost is not None and cost >= 0:
            attributes["gen_ai.usage.cost"] = float(cost)


def answers(attributes: Attributes, response: dict[str, Any]) -> None:
    """Answer and finish reasons of a chat completion."""
    choices = response.get("choices")
    if not isinstance(choices, list) or not choices:
        return
    reasons = [reason for one in choices if (reason := one.get("finish_reason"))]
    if reasons:
        attributes["gen_ai.response.finish_reasons"] = reasons
    said = [one for one in choices if one.get("message")]
    if said:
        spans.answered(attributes, said)


def _failure(attributes: Attributes, record: dict[str, Any], metadata: dict[str, Any]) -> str:
    told = values.parsed(
        record.get("error_information") or metadata.get("error_information"), "error_information"
    )
    told = told if isinstance(told, dict) else {}
    code = str(told.get("error_code") or "")
    if code.isdecimal() and len(code) == 3:
        attributes["http.response.status_code"] = int(code)
    attributes["error.type"] = str(told.get("error_class") or code or "error")
    return str(told.get("error_message") or record.get("error_str") or "")[:4000]
