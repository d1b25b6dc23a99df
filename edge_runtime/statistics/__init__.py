"""Bounds that hold exactly, for any number of images: paired differences, one error rate, any number of looks."""
