"""Words, progress, exit codes."""
