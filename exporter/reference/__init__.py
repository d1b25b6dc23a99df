"""Whether the full model is used as it was trained, before anything is compared with it."""
