"""The JSON doors of feedback."""
