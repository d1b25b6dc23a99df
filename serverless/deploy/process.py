"""Which process of which machine: what tells a lock's holder that ended from one that runs elsewhere.

A host's name and a process's number are not enough: containers of one image have the same, and
numbers are given again. Linux also says which start of the machine it is, in which namespace a
number counts, and when a process began.
"""

from __future__ import annotations

import os
from pathlib import Path

_PROC = Path("/proc")

_START = 19
"""Place of the start time among the fields of ``/proc/PID/stat`` after the name (proc_pid_stat(5): 22)."""


def place() -> str:
    """The start of this machine and the namespace of its processes; empty where the system says neither."""
    try:
        boot = (_PROC / "sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot} {os.readlink(_PROC / 'self/ns/pid')}"
    except (OSError, ValueError):
        return ""


def started(pid: int) -> str:
    """When a process of this place began, in ticks; empty if there is none, or the system does not say.

    Args:
        pid: Its number.
    """
    try:
        text = (_PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
        # The name stands in parentheses and may hold any character.
        return text.rpartition(")")[2].split()[_START]
    except (OSError, IndexError):
        return ""
