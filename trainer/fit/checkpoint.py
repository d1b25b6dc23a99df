"""Checkpoints: the state of a run on disk, from which a killed run resumes.

::

    <cache>/checkpoints/<key>/
        head.npz, fine-tune.npz    one file per phase: every variable, and the phase's history
        *.npy                      activations of the frozen layers
        lock                       held while a process trains

The key is a hash of everything that determines the result: configuration, data, weights,
versions. The folder is removed when the run is saved.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from edge_runtime.common.errors import UsageError
from edge_runtime.common.temporary import remove_abandoned, temporary_file
from trainer.core.cache import default_cache_dir, unwritable
from trainer.core.folder_lock import held
from trainer.ranks.ranks import Ranks

KEPT_DAYS = 30
"""Days after which the checkpoint of an abandoned run is removed."""

_NOTE = "note"


@dataclass(frozen=True)
class Saved:
    """What :meth:`Checkpoint.save` wrote.

    Attributes:
        note: Plain data.
        arrays: The arrays in their original order.
    """

    note: dict[str, Any]
    arrays: tuple[Any, ...]


class Checkpoint:
    """The checkpoint folder of one run; see :func:`open_checkpoint`."""

    def __init__(self, folder: Path) -> None:
        """Uses an existing folder.

        Args:
            folder: The folder.
        """
        self.folder = folder
        self._cost_s = 0.0
        self._saved_at = 0.0

    def save(self, phase: str, note: dict[str, Any], arrays: Sequence[Any], *, needed: bool) -> None:
        """Replaces the file of a phase atomically.

        Args:
            phase: Its name.
            note: Plain data.
            arrays: numpy arrays.
            needed: Whether to write in any case; otherwise a save is skipped if writing a large
                model this often would slow training down.

        Raises:
            UsageError: The disk is full, or the folder cannot be written.
        """
        started = time.monotonic()
        if not needed and started - self._saved_at < 10 * self._cost_s:
            return
        named = {str(place): array for place, array in enumerate(arrays)}
        named[_NOTE] = np.frombuffer(json.dumps(note).encode(), np.uint8)
        try:
            with temporary_file(self.folder) as made:
                np.savez(made.file, **named)
                made.move_to(self._path(phase))
        except OSError as error:
            raise unwritable(UsageError, "checkpoint folder", self.folder, error) from error
        self._saved_at = time.monotonic()
        self._cost_s = self._saved_at - started

    def load(self, phase: str) -> Saved | None:
        """Returns the saved state of a phase; None if there is none, or it is damaged.

        Args:
            phase: Its name.
        """
        return _saved(self._path(phase))

    @property
    def has_state(self) -> bool:
        """Whether there is a state to resume from."""
        return any(self.folder.glob("*.npz"))

    def remove(self) -> None:
        """Deletes everything but the lock, to start over."""
        for entry in self.folder.iterdir():
            if entry.name != "lock":
                entry.unlink(missing_ok=True)

    def _path(self, phase: str) -> Path:
        return self.folder / f"{phase}.npz"


class RankCheckpoint(Checkpoint):
    """The checkpoint of a run of several processes: rank 0's state is that of all."""

    def __init__(self, folder: Path, ranks: Ranks) -> None:
        """Uses an existing folder.

        Args:
            folder: The folder, where the activations are; on other machines the state is not.
            ranks: The ranks.
        """
        super().__init__(folder)
        self._ranks = ranks

    def save(self, phase: str, note: dict[str, Any], arrays: Sequence[Any], *, needed: bool) -> None:
        """See :meth:`Checkpoint.save`; does nothing on other ranks."""
        if self._ranks.first:
            super().save(phase, note, arrays, needed=needed)

    def load(self, phase: str) -> Saved | None:
        """See :meth:`Checkpoint.load`; called on all ranks."""
        data = b""
        if self._ranks.first:
            with suppress(OSError):
                data = self._path(phase).read_bytes()
        return _saved(io.BytesIO(self._ranks.from_first(data)))


def _saved(source: Path | io.BytesIO) -> Saved | None:
    """What a file holds; None if it is missing or damaged."""
    try:
        with np.load(source, allow_pickle=False) as file:
            note = json.loads(file[_NOTE].tobytes())
            return Saved(note, tuple(file[str(place)] for place in range(len(file.files) - 1)))
    except (OSError, ValueError, KeyError, EOFError, BadZipFile):
        return None


def checkpoint_key(parts: dict[str, Any]) -> str:
    """Returns the name of a run's checkpoint folder.

    Args:
        parts: Plain data: everything that determines the result.
    """
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()[:32]


def cache_root(cache_dir: str | os.PathLike[str] | None) -> Path:
    """The folder that the checkpoints are in.

    Args:
        cache_dir: Folder of the pixel cache; None for the default.
    """
    return Path(cache_dir) if cache_dir is not None else default_cache_dir().parent


@contextmanager
def open_rank_checkpoint(
    key: str, cache_dir: str | os.PathLike[str] | None, fresh: bool, ranks: Ranks
) -> Iterator[Checkpoint]:
    """:func:`open_checkpoint` on all ranks: one process of each machine holds the lock.

    Args:
        key: As for :func:`open_checkpoint`.
        cache_dir: As for :func:`open_checkpoint`.
        fresh: As for :func:`open_checkpoint`.
        ranks: The ranks.

    Raises:
        UsageError: As for :func:`open_checkpoint`.
    """
    if ranks.group.size == 1:
        with open_checkpoint(key, cache_dir, fresh) as checkpoint:
            yield checkpoint
        return
    with ExitStack() as stack:
        if ranks.leads:
            opening = partial(stack.enter_context, open_checkpoint(key, cache_dir, fresh))
        else:
            opening = partial(Checkpoint, cache_root(cache_dir) / "checkpoints" / key)
        yield RankCheckpoint(ranks.leader_first(opening).folder, ranks)
        # Nobody removes what others still read.
        ranks.wait()


@contextmanager
def open_checkpoint(key: str, cache_dir: str | os.PathLike[str] | None, fresh: bool) -> Iterator[Checkpoint]:
    """Opens and locks the checkpoint of a run; removes it when the block succeeds.

    Args:
        key: What :func:`checkpoint_key` returned.
        cache_dir: Folder of the pixel cache; None for the default.
        fresh: Whether to delete the existing state.

    Raises:
        UsageError: Another process is training the same run, or the folder cannot be written.
    """
    root = cache_root(cache_dir) / "checkpoints"
    folder = root / key
    with ExitStack() as stack:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            rule = "A run must be trained by one process"
            stack.enter_context(held(folder, rule, "Wait for it, or choose another --out"))
        except OSError as error:
            raise unwritable(UsageError, "checkpoint folder", root, error) from error
        _forget_old(root, folder)
        remove_abandoned(folder)
        checkpoint = Checkpoint(folder)
        if fresh:
            checkpoint.remove()
        yield checkpoint
        shutil.rmtree(folder, ignore_errors=True)


def _forget_old(root: Path, current: Path) -> None:
    """Removes old checkpoints, and from recent ones what a killed process left half-written."""
    oldest = time.time() - KEPT_DAYS * 86_400
    for folder in root.iterdir():
        if folder == current:
            continue
        try:
            times = [entry.stat().st_mtime for entry in [folder, *folder.iterdir()]]
            if max(times) < oldest:
                shutil.rmtree(folder, ignore_errors=True)
            else:
                remove_abandoned(folder)
        except OSError:
            # It is being removed right now.
            continue
