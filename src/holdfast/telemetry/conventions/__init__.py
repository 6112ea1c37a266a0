"""The shelf of tracing conventions: `reading.read_facts(span)` says in canonical words what any of them wrote."""
