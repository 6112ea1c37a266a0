"""Budgets and limits kept while requests wait: in this process, its journal, and Redis where there are several."""
