"""Composition of what has run before, from the outside: resume and replay."""
