"""Measurements that anyone can repeat. Each writes one JSON file; ``benchmarks.page`` renders them."""
