"""Which precision ``auto`` means: bfloat16 where the hardware multiplies it, else float32.

Decided by what the hardware can do and never by a measurement, so that a machine always decides alike.
"""

from __future__ import annotations

from typing import Any

from edge_runtime.common.tensorflow_settings import onednn_is_off
from edge_runtime.engines.cpu import cpu
from trainer.core.backend import load_keras

AUTO = "auto"
FLOAT, HALF = "float32", "mixed_bfloat16"

_LEAST_CAPABILITY = 8.0
"""CUDA compute capability of Ampere, the first with bfloat16."""


def resolved_precision(asked: str) -> str:
    """Returns the precision to train in, with ``auto`` decided.

    Args:
        asked: One of ``trainer.config.train_config.Precision``.

    Returns:
        ``asked``, or ``mixed_bfloat16`` or ``float32`` for ``auto``.
    """
    if asked != AUTO:
        return asked
    capable = {"tensorflow": _tensorflow, "jax": _jax, "torch": _torch}[load_keras().backend.backend()]
    return HALF if capable() else FLOAT


def gpu_multiplies_bfloat16(capability: Any) -> bool:
    """Whether a GPU has an instruction for it; what does not name itself does not.

    Args:
        capability: CUDA compute capability: ``(8, 0)`` from TensorFlow and PyTorch, ``"8.0"`` from JAX.
    """
    numbers = capability.split(".") if isinstance(capability, str) else capability or ()
    try:
        return float(".".join(str(int(number)) for number in numbers)) >= _LEAST_CAPABILITY
    except ValueError:
        return False


def _tensorflow() -> bool:
    import tensorflow

    gpus = tensorflow.config.list_physical_devices("GPU")
    details = tensorflow.config.experimental.get_device_details
    if gpus:
        return all(gpu_multiplies_bfloat16(details(gpu).get("compute_capability")) for gpu in gpus)
    # Without oneDNN TensorFlow converts every number to float32 and back.
    return not onednn_is_off() and bool(cpu().bfloat16_flags)


def _jax() -> bool:
    import jax

    devices = jax.devices()
    if devices[0].platform == "cpu":
        return bool(cpu().bfloat16_flags)
    # All TPUs multiply bfloat16.
    return all(
        device.platform == "tpu" or gpu_multiplies_bfloat16(getattr(device, "compute_capability", None))
        for device in devices
    )


def _torch() -> bool:
    import torch

    if not torch.cuda.is_available():
        # Keras runs PyTorch eagerly, where the conversions around every layer cost as much.
        return False
    gpus = range(torch.cuda.device_count())
    return all(gpu_multiplies_bfloat16(torch.cuda.get_device_capability(gpu)) for gpu in gpus)
