"""Identifies a process across machines, to tell a lock holder that ended from one that runs elsewhere.

Host name and process id are not enough: containers of one image share them, and ids are reused.
Linux also reports the boot id, the namespace of the process ids, and when a process started.
"""

from __future__ import annotations

import os
from pathlib import Path

_PROC = Path("/proc")

_START = 19
"""Index of the start time among the fields of ``/proc/PID/stat`` after the name (proc_pid_stat(5): 22)."""


def place() -> str:
    """Boot id of this machine and namespace of its process ids; empty if the system reports neither."""
    try:
        boot = (_PROC / "sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot} {os.readlink(_PROC / 'self/ns/pid')}"
    except (OSError, ValueError):
        return ""


def started(pid: int) -> str:
    """When a process of this machine started, in ticks; empty if there is none or it cannot be found out.

    Args:
        pid: The process id.
    """
    try:
        text = (_PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
        # The name is in parentheses and may contain any character.
        return text.rpartition(")")[2].split()[_START]
    except (OSError, IndexError):
        return ""
