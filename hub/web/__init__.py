"""The hub over HTTP: webhooks, the REST API, probes and metrics."""
