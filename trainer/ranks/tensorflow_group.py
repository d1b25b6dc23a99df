"""Devices of one machine on TensorFlow: ``tf.distribute.MirroredStrategy`` in one process.

Its strategy for several machines does not run under Keras 3's ``fit``: it fails with ``PerReplica`` errors in
TensorFlow 2.21 with Keras 3.15.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

from edge_runtime.common.errors import EnvironmentMissingError, first_line
from trainer.ranks.group import Alone


class MirroredGroup(Alone):
    """One process that mirrors the weights on several devices; the strategy adds the gradients."""

    def __init__(self, count: int | None) -> None:
        """Takes the devices.

        Args:
            count: Number of GPUs, or of parts of the CPU where there is no GPU; None for all GPUs.

        Raises:
            EnvironmentMissingError: There are fewer GPUs, or TensorFlow has been used before.
        """
        import tensorflow

        gpus = tensorflow.config.list_physical_devices("GPU")
        if gpus:
            if count is not None and count > len(gpus):
                raise EnvironmentMissingError(
                    f"--distributed {count} needs {count} GPUs. Received: {len(gpus)} in this machine. Lower it."
                )
            names = [f"GPU:{index}" for index in range(count or len(gpus))]
        else:
            names = [f"CPU:{index}" for index in range(count or 1)]
            _divide_cpu(tensorflow, len(names))
        self.devices = len(names)
        self._strategy = tensorflow.distribute.MirroredStrategy(names)

    def scope(self) -> AbstractContextManager[Any]:
        """See :class:`~trainer.ranks.group.Group`."""
        scope: AbstractContextManager[Any] = self._strategy.scope()
        return scope


def _divide_cpu(tensorflow: Any, count: int) -> None:
    """Makes several devices of the CPU; only before TensorFlow has used it."""
    (cpu,) = tensorflow.config.list_physical_devices("CPU")
    try:
        tensorflow.config.set_logical_device_configuration(
            cpu, [tensorflow.config.LogicalDeviceConfiguration()] * count
        )
    except RuntimeError as error:
        if len(tensorflow.config.list_logical_devices("CPU")) >= count:
            return
        raise EnvironmentMissingError(
            f"--distributed {count} on a CPU must come before any other use of TensorFlow. "
            f"Received: {first_line(error)}. Call it in a process of its own."
        ) from error
