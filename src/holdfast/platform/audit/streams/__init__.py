"""Places outside that receive the log: a file, syslog over TLS, OTLP logs. All of them are model.Stream."""
