"""Benchmarks: each case beside its physical limit, in the same run. `python -m bench` prints JSON."""
