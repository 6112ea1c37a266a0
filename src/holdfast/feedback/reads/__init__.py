"""Answers of feedback."""
