"""Answers as text, JSON lines, CSV or Parquet."""
