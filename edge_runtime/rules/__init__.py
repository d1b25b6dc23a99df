"""Applies the rules of an artifact: when its answer may be believed, and which classes may be true."""
