"""Decisions of feedback: what may be said, links, implicit signals, rates."""
