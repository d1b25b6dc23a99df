"""The arithmetic of the verdict: pure NumPy, no files, no models."""
