"""The door for OTLP: spans become calls, counted once; calls, traces, metrics and events to read."""
