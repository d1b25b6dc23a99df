"""What to train, with every default filled in."""
