"""What a trained model gets wrong, and what it looks at; the parts that the pages show."""
