"""Pages of signals: alerts, and their rules."""
