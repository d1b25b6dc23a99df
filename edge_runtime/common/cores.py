"""How many cores this process may use."""

from __future__ import annotations

import os


def cores() -> int:
    """Number of cores available to this process; fewer than the machine has in a container or under taskset."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
