"""Write export files with the products' own code, in the environment that `make test` prepares for it.

    python produce_exports.py litellm|langfuse FOLDER PROVIDER_URL

litellm: `payloads.jsonl`, the payloads that its file, S3 and GCS loggers write, and `spend.jsonl`, rows of its spend log
by its own writer; each of real requests to the provider. langfuse: the spans of its SDK around real work, put into the
models of its API by the attributes that its server reads: `observations.json` (v2), `legacy.json` (v1), `traces.json`.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import threading
from pathlib import Path
from typing import Any

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # else it asks the internet for prices
MESSAGES = [
    {"role": "system", "content": "Be short."},
    {"role": "user", "content": "What is the weather in Paris?"},
]
TOOL = {
    "type": "function",
    "function": {"name": "get_weather", "parameters": {"type": "object", "properties": {}}},
}


def litellm(folder: Path, url: str) -> None:
    """Five requests: plain with tools, streamed, Anthropic with cache, embeddings, one that is refused."""
    import litellm
    from litellm.integrations.custom_logger import CustomLogger
    from litellm.proxy.spend_tracking.spend_tracking_utils import get_logging_payload

    payloads: list[Any] = []
    spend: list[Any] = []
    wanted = threading.Semaphore(0)

    class Writer(CustomLogger):
        def log_success_event(self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any) -> None:
            payloads.append(kwargs["standard_logging_object"])
            row = get_logging_payload(
                kwargs=kwargs, response_obj=response_obj, start_time=start_time, end_time=end_time
            )
            spend.append(row)
            wanted.release()

        def log_failure_event(self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any) -> None:
            del response_obj, start_time, end_time
            payloads.append(kwargs["standard_logging_object"])
            wanted.release()

    litellm.callbacks = [Writer()]
    openai = {"api_base": f"{url}/v1", "api_key": "sk-1"}
    litellm.completion(
        model="openai/gpt-4o-mini",
        messages=MESSAGES,
        tools=[TOOL],
        temperature=0.2,
        max_tokens=100,
        user="ada",
        **openai,
    )
    for _ in litellm.completion(
        model="openai/gpt-4o-mini",
        messages=MESSAGES,
        stream=True,
        stream_options={"include_usage": True},
        **openai,
    ):
        pass
    litellm.completion(model="anthropic/claude-sonnet-4-5", messages=MESSAGES, api_base=url, api_key="sk-1")
    litellm.embedding(model="openai/text-embedding-3-small", input=["a"], **openai)
    with contextlib.suppress(litellm.RateLimitError):
        litellm.completion(model="openai/rate-limited", messages=MESSAGES, max_retries=0, **openai)
    for _ in range(5):
        if not wanted.acquire(timeout=30):
            raise SystemExit("LiteLLM did not log every request")
    write(folder / "payloads.jsonl", payloads)
    write(folder / "spend.jsonl", spend)


def write(path: Path, rows: list[Any]) -> None:
    path.write_text("".join(json.dumps(row, default=str) + "\n" for row in rows))


class Kept:
    """A span exporter that keeps what it is given."""

    def __init__(self) -> None:
        self.spans: list[Any] = []

    def export(self, spans: Any) -> Any:
        from opentelemetry.sdk.trace.export import SpanExportResult

        self.spans += spans
        return SpanExportResult.SUCCESS

    def shutdown(self) -> None:
        """Nothing is held."""

    def force_flush(self, timeout_millis: int = 0) -> bool:
        return True


def langfuse(folder: Path, _url: str) -> None:
    """A trace with a generation inside a span, a generation with cached tokens, a tool, and a failed generation."""
    from langfuse import Langfuse, propagate_attributes

    kept = Kept()
    client = Langfuse(
        public_key="pk-1",
        secret_key="sk-1",
        base_url="http://127.0.0.1:9",
        environment="production",
        span_exporter=kept,
    )
    with (
        client.start_as_current_observation(name="ask", as_type="span"),
        propagate_attributes(user_id="ada", session_id="s-1", trace_name="ask", tags=["hr"]),
    ):
        with client.start_as_current_observation(
            name="answer",
            as_type="generation",
            model="gpt-4o-mini",
            model_parameters={"temperature": 0.2, "max_tokens": 100},
            input=MESSAGES,
        ) as generation:
            generation.update(
                output={"role": "assistant", "content": "Hello."},
                usage_details={"input": 400, "output": 50, "input_cached_tokens": 600, "total": 1050},
                cost_details={"total": 0.000135},
            )
        with client.start_as_current_observation(
            name="look-up", as_type="tool", input={"city": "Paris"}
        ) as tool:
            tool.update(output="sunny")
        with client.start_as_current_observation(
            name="again", as_type="generation", model="gpt-4o-mini"
        ) as failed:
            failed.update(level="ERROR", status_message="429 rate limit exceeded")
    client.flush()
    models(folder, kept.spans)


def models(folder: Path, spans: list[Any]) -> None:
    """The spans as Langfuse's API gives them, by its own models."""
    from langfuse.api import ObservationsView, ObservationV2, TraceWithDetails

    rows = [row(span) for span in spans]
    v2 = [json.loads(ObservationV2(**one).json()) for one in rows]
    (folder / "observations.json").write_text(json.dumps({"data": v2, "meta": {"cursor": None}}))
    legacy = []
    for one in rows:
        usage = {name: one["usage_details"].get(name, 0) for name in ("input", "output", "total")}
        old = {
            name: value
            for name, value in one.items()
            if name not in ("user_id", "session_id", "trace_name", "tags")
        }
        made = ObservationsView(
            **{**old, "usage": {**usage, "unit": "TOKENS"}, "input": one["input"], "output": one["output"]}
        )
        legacy.append(json.loads(made.json()))
    (folder / "legacy.json").write_text(json.dumps({"data": legacy, "meta": {"page": 1}}))
    first = rows[-1]
    trace = TraceWithDetails(
        id=first["trace_id"],
        timestamp=first["start_time"],
        name="ask",
        session_id="s-1",
        user_id="ada",
        tags=["hr"],
        public=False,
        environment="production",
        html_path="/",
        latency=1.0,
        total_cost=0.0,
        observations=[],
        scores=[],
    )
    (folder / "traces.json").write_text(json.dumps({"data": [json.loads(trace.json())], "meta": {"page": 1}}))


def row(span: Any) -> dict[str, Any]:
    """An observation by the attributes of its span."""
    from datetime import UTC, datetime

    from langfuse import LangfuseOtelSpanAttributes as Names

    told = dict(span.attributes)

    def unpacked(name: str) -> Any:
        value = told.get(name)
        return json.loads(value) if isinstance(value, str) and value[:1] in "{[" else value

    def at(nanoseconds: int) -> datetime:
        return datetime.fromtimestamp(nanoseconds / 1e9, UTC)

    return {
        "id": f"{span.context.span_id:016x}",
        "trace_id": f"{span.context.trace_id:032x}",
        "project_id": "p-1",
        "parent_observation_id": f"{span.parent.span_id:016x}" if span.parent else None,
        "type": str(told.get(Names.OBSERVATION_TYPE, "span")).upper(),
        "name": span.name,
        "start_time": at(span.start_time),
        "end_time": at(span.end_time),
        "level": told.get(Names.OBSERVATION_LEVEL, "DEFAULT"),
        "status_message": told.get(Names.OBSERVATION_STATUS_MESSAGE),
        "environment": told.get(Names.ENVIRONMENT, "default"),
        "user_id": told.get(Names.TRACE_USER_ID),
        "session_id": told.get(Names.TRACE_SESSION_ID),
        "trace_name": told.get(Names.TRACE_NAME),
        "tags": list(told.get(Names.TRACE_TAGS, ())),
        "model": told.get(Names.OBSERVATION_MODEL),
        "model_parameters": unpacked(Names.OBSERVATION_MODEL_PARAMETERS),
        "input": unpacked(Names.OBSERVATION_INPUT),
        "output": unpacked(Names.OBSERVATION_OUTPUT),
        "usage_details": unpacked(Names.OBSERVATION_USAGE_DETAILS) or {},
        "cost_details": unpacked(Names.OBSERVATION_COST_DETAILS) or {},
        "metadata": {},
    }


if __name__ == "__main__":
    {"litellm": litellm, "langfuse": langfuse}[sys.argv[1]](Path(sys.argv[2]), sys.argv[3])
    os._exit(0)  # threads of the proxy's modules would hold it
