"""Floor 0: carries items between two ends. Knows no actors."""
