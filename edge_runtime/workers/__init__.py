"""Hands shards of work to worker processes, here or on a cluster, and replaces those that end."""
