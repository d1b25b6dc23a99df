"""The ranks of a run, and which of them share a cache folder: one of those writes what all of them read."""

from __future__ import annotations

import json
import struct
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from edge_runtime.common.errors import EnvironmentMissingError, SnapshipError, UsageError
from trainer.ranks.group import Alone, Group, Share

T = TypeVar("T")


@dataclass(frozen=True)
class Ranks:
    """A group, as one of its processes sees it.

    Attributes:
        group: The group.
        members: Ranks that see this process's cache folder, itself among them, in order.
    """

    group: Group = field(default_factory=Alone)
    members: tuple[int, ...] = (0,)

    @classmethod
    def around(cls, group: Group, folder: Path) -> Ranks:
        """Finds out who sees the same folder: the processes of one machine, or of all, on a network disk.

        Args:
            group: The group.
            folder: The cache folder; made if it is missing.

        Raises:
            UsageError: The folder cannot be written.
        """
        if group.size == 1:
            return cls(group)
        pending = list(range(group.size))
        found: tuple[int, ...] = (group.rank,)
        while pending:
            leader = pending[0]
            token = f".rank-{uuid.uuid4().hex}"
            if group.rank == leader:
                try:
                    folder.mkdir(parents=True, exist_ok=True)
                    (folder / token).touch()
                except OSError as error:
                    raise UsageError(
                        f"The cache folder must be writable. Received: {folder} ({error.strerror or error}). "
                        "Set XDG_CACHE_HOME to another folder."
                    ) from error
            told = group.gather(token.encode())[leader].decode()
            seen = group.gather(b"1" if (folder / told).exists() else b"0")
            members = tuple(rank for rank in pending if seen[rank] == b"1")
            if group.rank == leader:
                (folder / token).unlink(missing_ok=True)
            if group.rank in members:
                found = members
            pending = [rank for rank in pending if rank not in members]
        return cls(group, found)

    @property
    def alone(self) -> bool:
        """Whether there is one process with one device."""
        return self.group.devices == 1

    @property
    def first(self) -> bool:
        """Whether this process is the one that reports, and writes the run."""
        return self.group.rank == 0

    @property
    def leads(self) -> bool:
        """Whether this process writes to the cache folder for all that see it."""
        return self.group.rank == self.members[0]

    @property
    def share(self) -> Share:
        """The part of each batch that this process takes."""
        return Share.of(self.group)

    def wait(self) -> None:
        """Waits for all ranks."""
        self.group.gather(b"")

    def from_first(self, data: bytes) -> bytes:
        """What rank 0 has passed.

        Args:
            data: What this rank passes; only rank 0's counts.
        """
        return self.group.gather(data if self.first else b"")[0]

    def leader_first(self, work: Callable[[], T]) -> T:
        """Does something that leaves files in the cache folder: the others find them there.

        Args:
            work: What to do, on every rank.

        Raises:
            SnapshipError: What a leader raised, on all ranks.
        """
        if self.group.size == 1:
            return work()
        result: list[T] = []
        failure: SnapshipError | None = None
        if self.leads:
            try:
                result.append(work())
            except SnapshipError as error:
                failure = error
        self.agree_on_failure(failure)
        return result[0] if result else work()

    def agree_on_failure(self, failure: SnapshipError | None) -> None:
        """Raises on all ranks what one of them has to raise; otherwise the others would wait for it.

        Args:
            failure: What this rank has to raise; None for nothing.

        Raises:
            SnapshipError: This rank's failure, or that of the first rank that has one.
        """
        note = b"" if failure is None else json.dumps([type(failure).__name__, str(failure)]).encode()
        failures = [json.loads(found) for found in self.group.gather(note) if found]
        if failure is not None:
            raise failure
        if failures:
            kind, message = failures[0]
            raise _kind(kind)(message)

    def mean(self, figure: float) -> float:
        """The mean of a figure that each rank has of its own images; the figure itself where it is of all.

        Args:
            figure: This rank's.
        """
        if not self.group.figures_are_local:
            return figure
        found = [struct.unpack("<d", data)[0] for data in self.group.gather(struct.pack("<d", figure))]
        return float(sum(found)) / len(found)

    def must_agree(self, what: str, value: str) -> None:
        """Checks that all ranks have the same.

        Args:
            what: What it is, for the message: ``the data``.
            value: This rank's.

        Raises:
            EnvironmentMissingError: They have not.
        """
        values = [found.decode() for found in self.group.gather(value.encode())]
        others = [rank for rank, found in enumerate(values) if found != values[0]]
        if others:
            raise EnvironmentMissingError(
                f"All ranks must have the same {what}. Received: {values[0][:40]} on rank 0, "
                f"{values[others[0]][:40]} on rank {others[0]}. Make the machines alike, then run the same command."
            )


def _kind(name: str) -> Any:
    """The class of an error of ours, by its name."""
    kinds: list[type[SnapshipError]] = [SnapshipError]
    for kind in kinds:
        if kind.__name__ == name:
            return kind
        kinds += kind.__subclasses__()
    return SnapshipError
