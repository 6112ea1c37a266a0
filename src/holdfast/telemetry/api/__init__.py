"""The JSON doors of telemetry, by topic."""
