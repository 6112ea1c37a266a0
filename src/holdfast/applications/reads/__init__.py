"""Answers of applications."""
