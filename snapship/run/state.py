"""``recipe-state.json``: which steps are done, with which inputs and outputs."""

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
from snapship.run.settings import RecipePaths

_CURE = "Restore it, or pass --force to run every step again."


class FinishedStep(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A step that succeeded.

    Attributes:
        inputs: Settings, versions and content hashes by name.
        outputs: SHA-256 of every file that it left, by path relative to the recipe's folder.
        seconds: Its duration.
    """

    inputs: dict[str, Any]
    outputs: dict[str, str]
    seconds: float

    @property
    def digest(self) -> str:
        """Hash of all outputs, an input of the next step; 64 hex digits."""
        return hashlib.sha256(msgspec.json.encode(self.outputs, order="sorted")).hexdigest()


class RecipeState(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``recipe-state.json``.

    Attributes:
        schema_version: 1.
        recipe: The recipe's name.
        steps: The finished steps by name.
    """

    schema_version: Literal[1]
    recipe: str
    steps: dict[str, FinishedStep] = msgspec.field(default_factory=dict)


def read_state(paths: RecipePaths, recipe: str, force: bool) -> RecipeState:
    """Reads which steps are done; none where the folder is new.

    Args:
        paths: Where the results are.
        recipe: The recipe's name.
        force: Whether to ignore a damaged file.

    Raises:
        UsageError: The folder contains something else, another recipe's results, or a damaged file.
    """
    new = RecipeState(schema_version=1, recipe=recipe)
    try:
        if not paths.state.is_file():
            _check_empty(paths.out)
            return new
        data = paths.state.read_bytes()
    except OSError as error:
        raise UsageError(
            f"--out must be a readable folder. Received: {paths.out} ({error.strerror}). Pass another --out."
        ) from error
    try:
        found = msgspec.json.decode(data, type=RecipeState)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        if force:
            return new
        reason = str(error).splitlines()[0]
        raise UsageError(
            f"{paths.state.name} must follow its schema. Received: {paths.state} ({reason}). {_CURE}"
        ) from error
    if found.recipe != recipe:
        raise UsageError(
            f"--out must be a folder of the same recipe. Received: {paths.out}, which contains the results of "
            f"{found.recipe!r}, not of {recipe!r}. Pass another --out."
        )
    return found


def write_state(paths: RecipePaths, state: RecipeState) -> None:
    """Writes the file, atomically.

    Args:
        paths: Where the results are.
        state: Its content.

    Raises:
        UsageError: The file cannot be written.
    """
    write_whole(paths.state, msgspec.json.format(msgspec.json.encode(state), indent=2) + b"\n")


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
    """Describes the first output that changed; empty when none did.

    Args:
        out: The recipe's folder.
        outputs: What :func:`hash_outputs` returned for the step.
    """
    for name, sha256 in outputs.items():
        try:
            same = file_sha256(out / name) == sha256
        except (OSError, ValueError):
            return f"{name} is missing"
        if not same:
            return f"{name} was changed"
    return "" if outputs else "it has no outputs"


def _check_empty(out: Path) -> None:
    if not os.path.lexists(out):
        return
    if not out.is_dir():
        raise UsageError(f"--out must be a folder. Received: {out}, a file. Pass another --out.")
    remove_abandoned(out)
    other = sorted(entry.name for entry in out.iterdir())
    if other:
        raise UsageError(
            f"--out must be a new folder or one that snapship run made. Received: {out}, which contains "
            f"{other[0]}. Pass another --out."
        )
