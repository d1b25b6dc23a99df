"""What this machine's processor says of itself: answers of fast kernels may depend on it."""

from __future__ import annotations

import platform
from functools import cache
from pathlib import Path
from typing import NamedTuple

FLAGS = ("avx2", "avx512_vnni", "avx_vnni", "amx_int8", "asimddp", "i8mm")
"""Flags of ``/proc/cpuinfo`` for instructions that multiply bytes; the last two are Arm's."""


class Cpu(NamedTuple):
    """A processor.

    Attributes:
        name: Its model, or its architecture where the system does not say.
        flags: Those of :data:`FLAGS` that it has; empty where the system does not say.
    """

    name: str
    flags: tuple[str, ...]


@cache
def cpu() -> Cpu:
    """Describes this machine's processor."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8", "replace").splitlines()
    except OSError:
        lines = []
    facts = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
    flags = set(facts.get("flags", facts.get("Features", "")).split())
    # Arm kernels name the board in "Model" and the processor nowhere.
    named = facts.get("model name") or facts.get("Model") or platform.processor() or platform.machine()
    return Cpu(named or "unknown", tuple(flag for flag in FLAGS if flag in flags))
