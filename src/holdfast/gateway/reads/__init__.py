"""Answers of the gateway: what is applied, the snapshot that gateways live from, what gateways say of themselves."""
