"""Secrets: references to where they are kept, and those that are kept here, encrypted."""
