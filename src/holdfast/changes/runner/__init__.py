"""Long work for changes, each on a thread of its own."""
