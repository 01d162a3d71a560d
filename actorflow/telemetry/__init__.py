"""Turns the events of a run into OpenTelemetry spans and metrics. No lower floor imports OpenTelemetry."""
