"""The pages of evals."""
