"""What a pipeline is: plain values and pure functions; nothing here runs."""
