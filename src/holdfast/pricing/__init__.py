"""What a call costs: the usage partition, list prices, the workspace price book."""
