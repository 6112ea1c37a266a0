"""Weeks of generated past calls whose shapes were measured on public traces, so that charts have a past."""
