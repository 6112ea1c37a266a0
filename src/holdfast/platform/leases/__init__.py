"""Leases: what one process of several does at a time. Taken for a while, renewed, free again when their holder dies."""
