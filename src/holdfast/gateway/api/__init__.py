"""The JSON doors of the gateway, by topic."""
