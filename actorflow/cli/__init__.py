"""The command line: words, progress, exit codes. Imports nothing, so that the first line comes at once."""
