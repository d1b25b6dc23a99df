"""The machine that a figure was measured on: without it a time means nothing."""

from __future__ import annotations

import os
import platform
from importlib import metadata
from typing import Any

from edge_runtime.engines.cpu import cpu
from snapship.doctor import checkup

LOAD = "load at the start"
"""Name of the fact that differs from run to run."""


def machine(keras: Any) -> dict[str, str]:
    """Names the machine and the software that take part.

    Args:
        keras: The keras module.
    """
    found = checkup()
    backend = keras.backend.backend()
    return {
        "CPU": f"{cpu().name}, {found.cores} cores",
        "CPU flags": flags(),
        "memory": "unknown" if found.memory_gb is None else f"{found.memory_gb:.0f} GB",
        "GPU": "; ".join(found.gpus) or "none",
        "device": device(keras),
        "system": f"{platform.system()} {platform.machine()}, Python {found.python}",
        "software": ", ".join(_version(name) for name in ("snapship", "keras", backend, "numpy")),
        LOAD: load(),
    }


def device(keras: Any) -> str:
    """What the model runs on: ``CPU``, or the accelerator as its backend names it.

    Args:
        keras: The keras module.
    """
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow

        gpus = tensorflow.config.list_physical_devices("GPU")
        if not gpus:
            return "CPU"
        return str(tensorflow.config.experimental.get_device_details(gpus[0]).get("device_name", "GPU"))
    if backend == "jax":
        import jax

        first = jax.devices()[0]
        return "CPU" if first.platform == "cpu" else str(first.device_kind)
    import torch

    return torch.cuda.get_device_name(0) if torch.cuda.is_available() else "CPU"


def flags() -> str:
    """The CPU's instructions for vectors, int8 (VNNI, AMX) and bfloat16, on which ratios depend."""
    return ", ".join((*cpu().flags, *cpu().bfloat16_flags)) or "unknown"


def load() -> str:
    """Processes that want a core, averaged over the last minute; a quiet machine has less than one."""
    try:
        return f"{os.getloadavg()[0]:.1f}"
    except (AttributeError, OSError):
        return "unknown"


def _version(name: str) -> str:
    for distribution in (name, f"{name}_cpu", f"{name}-gpu"):
        try:
            return f"{name} {metadata.version(distribution)}"
        except metadata.PackageNotFoundError:
            continue
    return name
