"""Decisions of telemetry: which spans are admitted, what is captured, which spans are one call."""
