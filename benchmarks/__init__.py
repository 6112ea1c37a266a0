"""Measurements beside a peer or a limit: make bench NAME=x [QUICK=1]."""
