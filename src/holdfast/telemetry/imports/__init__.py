"""Readers of other products' export files: one for each, behind one Protocol. They make spans; ingest does the rest."""
