"""The demo: a local language model, a sample application that uses it, its traffic and its past."""
