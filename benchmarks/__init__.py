"""Measurements that anyone can repeat; each writes one JSON, ``benchmarks.page`` makes the page of them."""
