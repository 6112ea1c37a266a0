"""What telemetry does by the clock."""
