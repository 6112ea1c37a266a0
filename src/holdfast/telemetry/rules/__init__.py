"""Decisions of telemetry: which observations are one call, and what each data-quality code means."""
