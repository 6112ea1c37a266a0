"""Words everyone speaks: ids, time, money, pages, errors, context. Standard library only."""
