"""Decisions of evals: what a suite says, what runs show. No I/O, no clock, no randomness but a seed passed in."""
