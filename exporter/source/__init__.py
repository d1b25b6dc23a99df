"""Model files on disk and opened: the full model, and whatever is compared with it; with images and scores."""
