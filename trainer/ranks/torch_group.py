"""Ranks on PyTorch: each computes the gradients of its part of the batch, and applies the mean of all.

Not ``DistributedDataParallel``: Keras' ``fit`` does not call the wrapped module, so nothing is averaged, without
a word.
"""

from __future__ import annotations

import datetime
import os
import socket
from typing import Any

from edge_runtime.common.cores import cores
from trainer.ranks.group import Alone
from trainer.ranks.place import Place


class TorchGroup(Alone):
    """A process group of ``torch.distributed``."""

    figures_are_local = True

    def __init__(self, place: Place) -> None:
        """Joins the ranks.

        Args:
            place: This rank.

        Raises:
            Exception: What PyTorch raises when the ranks do not find each other.
        """
        import torch
        import torch.distributed as distributed

        local = place.local_rank or 0
        gpu = torch.cuda.is_available()
        if gpu:
            torch.cuda.set_device(local % torch.cuda.device_count())
        elif place.address.startswith("127.") and "OMP_NUM_THREADS" not in os.environ:
            # Ranks that each take all cores wait for each other, and OpenMP's threads wait by working.
            torch.set_num_threads(max(1, cores() // place.size))
        distributed.init_process_group(
            "nccl" if gpu else "gloo", timeout=datetime.timedelta(minutes=30), **_meeting(distributed, place)
        )
        self.rank, self.size, self.devices = place.rank, place.size, place.size
        self._distributed = distributed

    def gather(self, data: bytes) -> list[bytes]:
        """See :class:`~trainer.ranks.group.Group`."""
        found: list[Any] = [None] * self.size
        self._distributed.all_gather_object(found, data)
        return found

    def optimizer(self, kind: Any) -> Any:
        """See :class:`~trainer.ranks.group.Group`."""
        group = self

        class Averaging(kind):  # type: ignore[misc]
            """Applies the mean of all ranks' gradients, each of as many images."""

            def apply(self, grads: Any, trainable_variables: Any = None) -> Any:
                return super().apply(group.mean(grads), trainable_variables)

        return Averaging

    def mean(self, gradients: Any) -> list[Any]:
        """Averages tensors over the ranks, in one message.

        Args:
            gradients: Tensors, the same on all ranks; None where a variable has none.
        """
        import torch

        there = [gradient for gradient in gradients if gradient is not None]
        flat = torch.cat([gradient.reshape(-1) for gradient in there])
        self._distributed.all_reduce(flat)
        flat /= self.size
        parts = iter(torch.split(flat, [gradient.numel() for gradient in there]))
        return [
            next(parts).reshape(gradient.shape) if gradient is not None else None for gradient in gradients
        ]

    def close(self) -> None:
        """Leaves the ranks."""
        self._distributed.destroy_process_group()


def _meeting(distributed: Any, place: Place) -> dict[str, Any]:
    """Where the ranks find each other, as options of ``init_process_group``."""
    host, _, port = place.address.rpartition(":")
    if not host.startswith("127.") or "TORCHELASTIC_RUN_ID" in os.environ:
        # Not a store of our own: torchrun has one at this address.
        os.environ.update(
            RANK=str(place.rank), WORLD_SIZE=str(place.size), MASTER_ADDR=host, MASTER_PORT=port
        )
        return {"init_method": "env://"}
    # By itself the store would listen to the whole network, and Gloo would look for an interface there.
    os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
    listening = {}
    if place.rank == 0:
        # The store closes it.
        listening["master_listen_fd"] = socket.create_server((host, int(port)), backlog=place.size).detach()
    store = distributed.TCPStore(host, int(port), place.size, place.rank == 0, **listening)
    return {"store": store, "rank": place.rank, "world_size": place.size}
