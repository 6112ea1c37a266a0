"""OTLP bytes to spans, metric points and log records: protobuf on upb, JSON on msgspec."""
