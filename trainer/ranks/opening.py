"""Opens the group that a value of ``--distributed`` asks for, on the backend that Keras runs on."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from edge_runtime.common.errors import EnvironmentMissingError, SnapshipError, UsageError, first_line
from edge_runtime.common.native_output import quiet, stdout_discarded
from trainer.core.backend import chosen_backend, load_keras
from trainer.ranks.group import Alone, Group
from trainer.ranks.place import Place, place_of_environment
from trainer.ranks.watch import watched

_COUNT_GPUS = {
    "jax": "import jax; print(jax.local_device_count() if jax.default_backend() != 'cpu' else 1)",
    "torch": "import torch; print(torch.cuda.device_count())",
}


def processes(distributed: str | int | None) -> int | None:
    """How many processes of this machine to start.

    Args:
        distributed: What :func:`trainer.ranks.place.parsed` returned.

    Returns:
        Their number; None where this process itself trains.

    Raises:
        UsageError: The backend cannot.
        EnvironmentMissingError: The backend is not installed.
    """
    if distributed is None or distributed == "env" or chosen_backend() == "tensorflow":
        return None
    if isinstance(distributed, int):
        return distributed if distributed > 1 else None
    if distributed == "auto":
        # In a process of its own: one that has seen the GPUs keeps memory on them.
        done = subprocess.run(
            [sys.executable, "-c", _COUNT_GPUS[chosen_backend()]], capture_output=True, text=True, check=False
        )
        found = done.stdout.strip()
        return int(found) if found.isdecimal() and int(found) > 1 else None
    return None


def check_backend(size: int) -> None:
    """Refuses several processes on TensorFlow.

    Args:
        size: Number of processes.

    Raises:
        UsageError: Keras runs on TensorFlow.
    """
    if size > 1 and chosen_backend() == "tensorflow":
        raise UsageError(
            "Several processes must train on JAX or PyTorch: TensorFlow's strategy for them does not run under "
            f"Keras 3. Received: {size} processes on tensorflow. Set KERAS_BACKEND=jax."
        )


@contextmanager
def opened_group(distributed: str | int | None, place: Place | None) -> Iterator[Group]:
    """Opens the group of this process.

    Args:
        distributed: What :func:`trainer.ranks.place.parsed` returned.
        place: This rank, where a launcher of ours started it.

    Raises:
        UsageError: The backend cannot, or the launcher's variables are wrong.
        EnvironmentMissingError: The ranks do not find each other.
    """
    if place is None and distributed == "env":
        place = place_of_environment()
    # Where a launcher of ours started the ranks, it watches them.
    watching = distributed == "env" and place is not None and place.size > 1
    if place is None and distributed in (None, 1):
        yield Alone()
        return
    try:
        with quiet(), stdout_discarded():
            group = _group(distributed, place, watching)
            # Gloo, which connects the ranks of CPUs, prints to stdout at the first message.
            group.gather(b"")
    except SnapshipError:
        raise
    except Exception as error:
        where = (
            f"rank {place.rank} of {place.size} at {place.address}" if place is not None else "this process"
        )
        raise EnvironmentMissingError(
            f"All ranks must find each other. Received: {first_line(error)} ({where}). "
            "Start all ranks, with one address that all of them reach."
        ) from error
    if watching and place is not None:
        with watched(group, place.address.rpartition(":")[0]):
            yield group
        return
    try:
        yield Alone() if group.devices == 1 else group
    finally:
        group.close()


def _group(distributed: str | int | None, place: Place | None, watching: bool) -> Any:
    backend = chosen_backend()
    if backend == "tensorflow":
        check_backend(place.size if place is not None else 1)
        from trainer.ranks.tensorflow_group import MirroredGroup

        load_keras()
        return MirroredGroup(distributed if isinstance(distributed, int) else None)
    if backend == "jax":
        from trainer.ranks.jax_group import JaxGroup

        return JaxGroup(place, watching)
    from trainer.ranks.torch_group import TorchGroup

    if place is None or place.size == 1:
        return Alone()
    return TorchGroup(place)
