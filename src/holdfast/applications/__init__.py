"""Applications that render their own prompts, or send telemetry alone: what they run, and what they should run."""
