"""What moved: alert rules over spend, errors, latency and silence, and the alerts that they open."""
