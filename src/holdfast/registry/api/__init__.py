"""The JSON doors of the registry."""
