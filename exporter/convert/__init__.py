"""From the full model to files of every kind."""
