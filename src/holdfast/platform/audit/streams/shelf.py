"""Picks the stream for a configuration, and reads configurations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

from holdfast.kernel.errors import Invalid
from holdfast.platform.audit.model import Stream, StreamConfig
from holdfast.platform.audit.streams.file import FileStream
from holdfast.platform.audit.streams.otlp import OtlpStream
from holdfast.platform.audit.streams.syslog import SyslogStream

_NEEDED = {"file": ("path",), "syslog": ("host",), "otlp": ("endpoint",)}


def open_stream(config: StreamConfig) -> Stream:
    """The stream for a configuration. Nothing is connected yet. Raises Invalid where it cannot work."""
    if config.kind == "file":
        return FileStream(config)
    return SyslogStream(config) if config.kind == "syslog" else OtlpStream(config)


def read_configs(values: Sequence[Mapping[str, Any]]) -> tuple[StreamConfig, ...]:
    """Configurations from JSON objects such as `{"kind": "file", "path": "/var/log/holdfast.jsonl"}`.

    `name` may be left out where there is one stream of its kind. Raises Invalid, naming what is wrong.
    """
    known = {field.name for field in fields(StreamConfig)}
    configs = []
    for value in values:
        kind = value.get("kind")
        if kind not in _NEEDED:
            raise Invalid(
                f"an audit stream is of kind {', '.join(_NEEDED)}, not {kind!r}", where="audit streams"
            )
        missing = [name for name in _NEEDED[kind] if not value.get(name)]
        if missing or value.keys() - known:
            wrong = f"needs {missing[0]}" if missing else f"has no {min(value.keys() - known)}"
            raise Invalid(f"an audit stream of kind {kind} {wrong}", where="audit streams")
        configs.append(StreamConfig(**{"name": kind, **value}))
    names = [config.name for config in configs]
    if len(set(names)) != len(names):
        raise Invalid("audit streams need names that differ", where="audit streams")
    return tuple(configs)
