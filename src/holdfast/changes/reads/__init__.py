"""Answers of changes."""
