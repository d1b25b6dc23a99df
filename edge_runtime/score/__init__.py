"""Scores any number of photos in shards: the plan, the rows, and what happens to a photo that ends a process."""
