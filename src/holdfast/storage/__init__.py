"""Where bytes rest: the control store (SQL), the call and span store (columns), blobs, migrations."""
