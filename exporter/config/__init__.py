"""What to export and what to check, and the thresholds to pass."""
