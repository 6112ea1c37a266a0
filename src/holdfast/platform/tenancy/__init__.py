"""Workspaces (client boundaries), the AI systems in them, their environments, and their data policies."""
