"""The way of telemetry into the store: prepared, committed in groups before the answer, then counted as calls."""
