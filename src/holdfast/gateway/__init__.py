"""The door for LLM traffic: keys, routes, upstreams, budgets; every call recorded and shipped to telemetry.

Two halves. `proxy` is the process in the path: it opens no store, lives from a signed snapshot and keeps a spool. The rest
(`store`, `actions`, `reads`, doors) runs in the core: it keeps what people configure, makes snapshots, takes records.
"""
