"""Answers of signals: alerts and rules, and the figures that rules are evaluated on."""
