"""Scores the images of a check in worker processes, here or on a cluster, to the same scores as in this process."""
