"""What every room stands on: settings, tenancy, access, the audit log, events, timers, senders, secrets."""
