"""A stream into OTLP logs over HTTP, as protobuf: every entry and checkpoint is one log record."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import partial

import httpx2
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
    ExportLogsServiceRequest,
    ExportLogsServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import SEVERITY_NUMBER_INFO, SEVERITY_NUMBER_WARN, LogRecord

from holdfast.kernel.errors import Invalid, Unavailable
from holdfast.platform.audit.model import Checkpoint, Item, StreamConfig
from holdfast.platform.audit.rules.exports import as_line
from holdfast.platform.audit.rules.records import readable
from holdfast.platform.audit.streams.syslog import tls_context

_HTTP_OK = 200


class OtlpStream:
    """Posts to `config.endpoint`, which ends in /v1/logs."""

    def __init__(self, config: StreamConfig) -> None:
        if not config.endpoint or not config.endpoint.startswith(("http://", "https://")):
            raise Invalid("an OTLP stream needs an endpoint that begins with http", where="audit streams")
        self.name = config.name
        self._config = config

    def send(self, items: Sequence[Item]) -> None:
        """Posts the batch. Only 200 with nothing rejected counts as delivered."""
        config = self._config
        headers = {**config.headers, "content-type": "application/x-protobuf"}
        body = request(items).SerializeToString()  # type: ignore[no-untyped-call]
        secure = str(config.endpoint).startswith("https:")
        try:
            make = partial(httpx2.Client, timeout=config.timeout, follow_redirects=False, proxy=config.proxy)
            with make(verify=tls_context(config)) if secure else make() as client:
                response = client.post(str(config.endpoint), content=body, headers=headers)
            content = response.content if response.is_success else b""
            answer = ExportLogsServiceResponse.FromString(content)  # type: ignore[no-untyped-call]
        except (httpx2.HTTPError, OSError, DecodeError) as error:
            said = type(error).__name__
            raise Unavailable(f"the audit stream {self.name} gets no usable answer: {said}") from error
        rejected = answer.partial_success.rejected_log_records
        if response.status_code != _HTTP_OK or rejected:
            said = f"rejects {rejected} records" if rejected else f"answers {response.status_code}"
            raise Unavailable(f"the receiver of the audit stream {self.name} {said}")


def request(items: Sequence[Item]) -> ExportLogsServiceRequest:
    """The export request for a batch."""
    made = ExportLogsServiceRequest()
    resource = made.resource_logs.add()
    resource.resource.attributes.append(_attribute("service.name", "holdfast"))
    scope = resource.scope_logs.add()
    scope.scope.name = "holdfast.audit"
    scope.log_records.extend(map(_log_record, items))
    return made


def _log_record(item: Item) -> LogRecord:
    nanos = _nanos(item.at)
    made = LogRecord(
        time_unix_nano=nanos, observed_time_unix_nano=nanos, severity_number=SEVERITY_NUMBER_INFO
    )
    made.body.string_value = as_line(item)
    made.attributes.append(_attribute("holdfast.workspace", item.workspace))
    if isinstance(item, Checkpoint):
        made.event_name = "holdfast.audit.checkpoint"
        made.attributes.append(_attribute("holdfast.audit.size", item.size))
        return made
    made.event_name = "holdfast.audit.entry"
    made.attributes.append(_attribute("holdfast.audit.index", item.index))
    made.attributes.append(_attribute("holdfast.audit.action", item.action))
    record = readable(item)
    if record is not None:
        made.attributes.append(_attribute("holdfast.audit.subject", record.subject))
        made.attributes.append(_attribute("holdfast.audit.actor", record.actor_id))
        made.attributes.append(_attribute("holdfast.audit.outcome", record.outcome))
        if record.outcome != "ok":
            made.severity_number = SEVERITY_NUMBER_WARN
    return made


def _attribute(key: str, value: str | int) -> KeyValue:
    if isinstance(value, int):
        return KeyValue(key=key, value=AnyValue(int_value=value))
    return KeyValue(key=key, value=AnyValue(string_value=value))


def _nanos(at: datetime) -> int:
    return int(at.timestamp()) * 1_000_000_000 + at.microsecond * 1000
