"""Answers of evals."""
