"""The JSON doors of applications."""
