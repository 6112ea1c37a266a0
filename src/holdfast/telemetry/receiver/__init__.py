"""The doors for OTLP: HTTP (protobuf and JSON, gzip) and gRPC."""
