"""Tables of the registry, and every query on them. Rows are added and never changed."""
