"""A shelf: what the gateway must know of each protocol, and no more."""
