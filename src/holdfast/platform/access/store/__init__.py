"""Memory of access: tables, and the queries by topic."""
