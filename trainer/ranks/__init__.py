"""Ranks: the processes and devices that train one model together."""
