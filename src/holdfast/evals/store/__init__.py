"""What evals keep: suites, version by version; runs and what was answered."""
