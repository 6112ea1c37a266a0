"""The JSON doors of changes."""
