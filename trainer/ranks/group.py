"""What a training run asks of the processes and devices that it runs on."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, Protocol


class Group(Protocol):
    """The ranks of a run: processes that hold the same weights and share each batch.

    Attributes:
        rank: This process, from 0.
        size: Number of processes.
        devices: Number of devices, of all processes; each batch is divided among them.
        figures_are_local: Whether Keras' metrics are of this process's images alone.
    """

    rank: int
    size: int
    devices: int
    figures_are_local: bool

    def gather(self, data: bytes) -> list[bytes]:
        """Waits for all ranks; returns what each has passed, in the order of ranks."""
        ...

    def scope(self) -> AbstractContextManager[Any]:
        """Where the model that all train is built and fitted."""
        ...

    def apart(self) -> AbstractContextManager[Any]:
        """Where, within the scope, a model is built and run that is this process's own."""
        ...

    def optimizer(self, kind: Any) -> Any:
        """An optimizer's class that applies the gradients of all ranks."""
        ...

    def close(self) -> None:
        """Leaves the other ranks."""
        ...


class Alone:
    """One process with one device; and what the other groups have in common with it."""

    rank, size, devices = 0, 1, 1
    figures_are_local = False

    def gather(self, data: bytes) -> list[bytes]:
        """See :class:`Group`."""
        return [data]

    def scope(self) -> AbstractContextManager[Any]:
        """See :class:`Group`."""
        return nullcontext()

    def apart(self) -> AbstractContextManager[Any]:
        """See :class:`Group`."""
        return nullcontext()

    def optimizer(self, kind: Any) -> Any:
        """See :class:`Group`."""
        return kind

    def close(self) -> None:
        """See :class:`Group`."""


@dataclass(frozen=True)
class Share:
    """The part of each batch that this process takes.

    Attributes:
        rank: This process.
        size: Number of processes.
        devices: Number of devices of all processes.
    """

    rank: int = 0
    size: int = 1
    devices: int = 1

    @classmethod
    def of(cls, group: Group) -> Share:
        """The share of a group's rank.

        Args:
            group: The group.
        """
        return cls(group.rank, group.size, group.devices)

    def padded(self, images: int) -> int:
        """The next multiple of the number of devices.

        Args:
            images: Images of a batch.
        """
        return -(-images // self.devices) * self.devices

    def part(self, images: int) -> slice:
        """This process's rows of a batch.

        Args:
            images: Images of the batch, a multiple of the number of devices.
        """
        each = images // self.size
        return slice(self.rank * each, (self.rank + 1) * each)
