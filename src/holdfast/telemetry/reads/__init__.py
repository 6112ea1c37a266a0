"""Answers of telemetry. What was acknowledged before a question is counted in."""
