"""Placed actors: the pure parts, and real processes."""
