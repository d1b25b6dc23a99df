"""Analysis of a trained model for the report: mistakes, robustness, explanations."""
