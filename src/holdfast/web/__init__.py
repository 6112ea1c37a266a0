"""The look: shell, components, charts, static files. No domain word in it."""
