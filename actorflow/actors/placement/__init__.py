"""Placement: actors whose code runs in a process of their own, supervised from here like any other."""
