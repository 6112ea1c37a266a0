"""Judges of what is said on the way, behind one Protocol (`shelf`), and what it takes to judge streams. Pure."""
