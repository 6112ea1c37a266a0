"""Applications that render their own prompts: what they should run, and what was deployed."""
