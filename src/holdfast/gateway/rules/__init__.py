"""Decisions of the gateway, pure: what a request resolves to, what it may cost, when an upstream is left alone."""
