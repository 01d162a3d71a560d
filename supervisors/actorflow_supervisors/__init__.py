"""Floor 0: keeps children alive. Knows no messages and no pipelines."""
