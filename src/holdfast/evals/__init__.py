"""Judging answers: suites of pinned cases, graders, runs through the gateway, verdicts that may be inconclusive."""
