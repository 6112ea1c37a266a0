"""Northwind HR: a sample HR-policy assistant (retrieval, one tool, three routes, two agents)."""
