"""Tells others of a run: webhooks, mail, Prometheus, OpenTelemetry."""
