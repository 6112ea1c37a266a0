"""Decisions of pricing: usage in buckets, which price holds, and the exact sum. No I/O."""
