"""Asking a suite of a release: through the gateway, many at once, resumed after a kill without paying twice."""
