"""Memory of telemetry: spans, calls, metrics and events in the call store, and every query on them."""
