"""Decisions of changes: facts in, verdict out. No store, no clock, no randomness."""
