"""Judges on photos without labels, and asks a person only about those where the models differ."""
