"""Immutable components and releases, content-hashed: what ran, whoever decided it."""
