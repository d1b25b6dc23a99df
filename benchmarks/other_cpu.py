"""A CPU without VNNI on a machine that has one: instruction sets are hidden from a process."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from pathlib import Path

_SOURCE = Path(__file__).with_name("cpu") / "without_vnni.c"
_PRELOAD = "LD_PRELOAD"


class UnavailableError(RuntimeError):
    """This machine cannot stand in for another one, for the reason given."""


def without_vnni(folder: Path) -> dict[str, str]:
    """An environment in which programs see neither VNNI nor AMX nor AVX-512.

    Args:
        folder: Where the small library that hides them is compiled to.

    Returns:
        Variables for a new process.

    Raises:
        UnavailableError: It is no x86 Linux, has no C compiler, or the CPU does not fault on CPUID.
    """
    compiler = shutil.which("cc") or shutil.which("gcc")
    if platform.system() != "Linux" or platform.machine() != "x86_64":
        raise UnavailableError(f"x86-64 Linux is needed, this is {platform.system()} {platform.machine()}")
    if compiler is None:
        raise UnavailableError("no C compiler is installed")
    library = folder / "without_vnni.so"
    made = subprocess.run(
        [compiler, "-O2", "-shared", "-fPIC", "-o", str(library), str(_SOURCE), "-ldl"],
        capture_output=True,
        text=True,
        check=False,
    )
    if made.returncode:
        raise UnavailableError(f"the library does not compile: {made.stderr.strip()[:200]}")
    known = os.environ.get(_PRELOAD)
    changed = {_PRELOAD: f"{library}:{known}" if known else str(library)}
    tried = subprocess.run(["/bin/true"], env={**os.environ, **changed}, capture_output=True, check=False)
    if tried.returncode:
        raise UnavailableError("this CPU or system cannot fault on CPUID (cpuid_fault in /proc/cpuinfo)")
    return {**os.environ, **changed}
