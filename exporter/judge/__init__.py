"""Whether an artifact is as good as the full model, and as good as last time."""
