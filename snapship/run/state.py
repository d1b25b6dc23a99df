"""What was done with which inputs: ``recipe-state.json`` beside the results."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

import msgspec

from edge_runtime.atomic_file import write_whole
from edge_runtime.bundle import file_sha256
from edge_runtime.errors import UsageError
from edge_runtime.temporary import remove_abandoned
from snapship.run.settings import Layout

_CURE = "Restore it, or pass --force to do every step again."


class Done(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A step that was finished.

    Attributes:
        inputs: What it was made of, by name: settings, versions and content hashes.
        outputs: SHA-256 of every file that it left, by path relative to the recipe's folder.
        seconds: How long it took.
    """

    inputs: dict[str, Any]
    outputs: dict[str, str]
    seconds: float

    @property
    def digest(self) -> str:
        """Hash of all outputs, an input of the next step; 64 hex digits."""
        return hashlib.sha256(msgspec.json.encode(self.outputs, order="sorted")).hexdigest()


class State(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``recipe-state.json``.

    Attributes:
        schema_version: 1.
        recipe: The recipe's name.
        steps: The finished steps by name.
    """

    schema_version: Literal[1]
    recipe: str
    steps: dict[str, Done] = msgspec.field(default_factory=dict)


def read_state(layout: Layout, recipe: str, force: bool) -> State:
    """Reads what was done before; nothing where the folder is new.

    Args:
        layout: Where things lie.
        recipe: The recipe's name.
        force: Whether a damaged file is taken for none.

    Raises:
        UsageError: The folder holds something else, another recipe's results, or a
            damaged file.
    """
    new = State(schema_version=1, recipe=recipe)
    try:
        if not layout.state.is_file():
            _check_empty(layout.out)
            return new
        data = layout.state.read_bytes()
    except OSError as error:
        raise UsageError(
            f"--out must be a folder that can be read. Received: {layout.out} ({error.strerror}). "
            "Pass another --out."
        ) from error
    try:
        found = msgspec.json.decode(data, type=State)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        if force:
            return new
        reason = str(error).splitlines()[0]
        raise UsageError(
            f"{layout.state.name} must follow its schema. Received: {layout.state} ({reason}). {_CURE}"
        ) from error
    if found.recipe != recipe:
        raise UsageError(
            f"--out must be a folder of the same recipe. Received: {layout.out}, which holds the results of "
            f"{found.recipe!r}, not of {recipe!r}. Pass another --out."
        )
    return found


def write_state(layout: Layout, state: State) -> None:
    """Writes the file, whole or not at all.

    Args:
        layout: Where things lie.
        state: Its content.

    Raises:
        UsageError: The place cannot be written.
    """
    write_whole(layout.state, msgspec.json.format(msgspec.json.encode(state), indent=2) + b"\n")


def hash_outputs(out: Path, places: Iterable[Path]) -> dict[str, str]:
    """Hashes the files that a step left.

    Args:
        out: The recipe's folder.
        places: Files and folders in it.

    Returns:
        SHA-256 by path relative to ``out``, with ``/``.
    """
    files = [
        file
        for place in places
        for file in (sorted(place.rglob("*")) if place.is_dir() else [place])
        if file.is_file()
    ]
    return {file.relative_to(out).as_posix(): file_sha256(file) for file in files}


def changed_output(out: Path, outputs: dict[str, str]) -> str:
    """Says which output is no longer what it was; empty where all are.

    Args:
        out: The recipe's folder.
        outputs: What :func:`hash_outputs` returned then.
    """
    for name, sha256 in outputs.items():
        try:
            same = file_sha256(out / name) == sha256
        except (OSError, ValueError):
            return f"{name} is gone"
        if not same:
            return f"{name} was changed"
    return "" if outputs else "it left nothing"


def _check_empty(out: Path) -> None:
    if not os.path.lexists(out):
        return
    if not out.is_dir():
        raise UsageError(f"--out must be a folder. Received: {out}, a file. Pass another --out.")
    remove_abandoned(out)
    other = sorted(entry.name for entry in out.iterdir())
    if other:
        raise UsageError(
            f"--out must be a new folder or one that snapship run made. Received: {out}, which holds "
            f"{other[0]}. Pass another --out."
        )
