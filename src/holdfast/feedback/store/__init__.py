"""What feedback keeps: items, the keys of links, how far jobs have come, improvements."""
