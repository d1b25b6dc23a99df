"""Processes of tests: which run, and waiting for what they do."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")


def alive(pid: int) -> bool:
    """Whether a process runs, and is not only waited for."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return state.rpartition(")")[2].split()[0] != "Z"


def named(name: str) -> list[int]:
    """Processes whose command line begins with a name, such as those of Ray's actors."""
    found = []
    for place in Path("/proc").iterdir():
        if place.name.isdecimal():
            try:
                if (place / "cmdline").read_bytes().startswith(name.encode()):
                    found.append(int(place.name))
            except OSError:
                continue
    return found


def wait_until(reached: Callable[[], T], otherwise: str, seconds: float) -> T:
    """Waits for something, and returns it; fails the test when it does not come."""
    end = time.monotonic() + seconds
    while not (found := reached()):
        assert time.monotonic() < end, otherwise
        time.sleep(0.02)
    return found


def wait_for_parts(out: Path, count: int, seconds: float) -> None:
    """Waits until ``snapship score`` has written so many parts."""
    wait_until(lambda: len(list(out.glob("part-*"))) >= count, "no parts", seconds)
