"""How the audit log is hashed, signed, proven and checked. No file, socket or store is touched here."""
