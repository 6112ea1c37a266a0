"""Decisions of the registry: what content is the same, how it is named, and how two of it differ. No store, no clock."""
