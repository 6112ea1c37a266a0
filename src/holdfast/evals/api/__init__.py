"""The JSON doors of evals."""
