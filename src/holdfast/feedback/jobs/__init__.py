"""The jobs of feedback."""
