"""Verbs of changes."""
