"""The model to export or check, opened: its pixels, its outputs, its scores of images."""
