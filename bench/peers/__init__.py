"""Other systems beside ours: one module a subject, run in turn by `python -m bench.peers`."""
