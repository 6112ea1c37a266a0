"""The pages of telemetry: the calls explorer, one trace, and the demo's switches."""
