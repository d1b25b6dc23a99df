"""What this machine's processor says of itself: answers of fast kernels may depend on it."""

from __future__ import annotations

import platform
from functools import cache
from pathlib import Path
from typing import NamedTuple

FLAGS = ("avx2", "avx512_vnni", "avx_vnni", "amx_int8", "asimddp", "i8mm")
"""Flags of ``/proc/cpuinfo`` for instructions that multiply bytes; the last two are Arm's."""

BFLOAT16_FLAGS = ("amx_bf16", "avx512_bf16")
"""Flags for instructions that multiply bfloat16."""


class Cpu(NamedTuple):
    """A processor.

    Attributes:
        name: Its model, or its architecture where the system does not say.
        flags: Those of :data:`FLAGS` that it has; empty where the system does not say.
        bfloat16_flags: Those of :data:`BFLOAT16_FLAGS`, as ``flags``.
    """

    name: str
    flags: tuple[str, ...] = ()
    bfloat16_flags: tuple[str, ...] = ()


@cache
def cpu() -> Cpu:
    """Describes this machine's processor."""
    try:
        return cpu_of(Path("/proc/cpuinfo").read_text("utf-8", "replace"))
    except OSError:
        return cpu_of("")


def cpu_of(cpuinfo: str) -> Cpu:
    """Reads what Linux says of a processor.

    Args:
        cpuinfo: Text of ``/proc/cpuinfo``; empty on other systems.
    """
    lines = (line.partition(":") for line in cpuinfo.splitlines())
    # The processors of one machine have the same flags.
    facts = {key.strip(): value.strip() for key, _, value in lines}
    found = set(facts.get("flags", facts.get("Features", "")).split())
    # Arm kernels name the board in "Model" and the processor nowhere.
    named = facts.get("model name") or facts.get("Model") or platform.processor() or platform.machine()
    return Cpu(named or "unknown", _of(FLAGS, found), _of(BFLOAT16_FLAGS, found))


def _of(flags: tuple[str, ...], found: set[str]) -> tuple[str, ...]:
    return tuple(flag for flag in flags if flag in found)
