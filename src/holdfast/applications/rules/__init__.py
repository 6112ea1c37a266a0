"""Decisions of applications: pure."""
