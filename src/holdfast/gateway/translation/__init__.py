"""One dialect said in another, so that a fallback can cross vendors. What cannot be said is refused by name."""
