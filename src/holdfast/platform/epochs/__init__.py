"""Epochs: one counter of all that gateways must know. Whoever changes such a thing advances it in the same transaction."""
