"""Verbs of evals."""
