"""Where the outputs may be: each is replaced as a whole, so nobody's files may be in its way."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from edge_runtime.common.atomic_file import is_there
from edge_runtime.common.errors import UsageError


def check_apart(inputs: Mapping[str, Path | None], outputs: Mapping[str, Path | None]) -> None:
    """Checks that no output is, contains or lies in an input or another output.

    Args:
        inputs: What is read, by option; None for nothing.
        outputs: What is written, by option; None for nothing.

    Raises:
        UsageError: Writing one would remove or change another.
    """
    seen = [(option, Path(os.path.realpath(path))) for option, path in inputs.items() if path is not None]
    for option, path in outputs.items():
        if path is None:
            continue
        place = Path(os.path.realpath(path))
        for other, taken in seen:
            if place.is_relative_to(taken) or taken.is_relative_to(place):
                raise UsageError(
                    f"Each output must have a place of its own, outside the others and what is read. "
                    f"Received: {other} and {option} {path}. Pass another {option}."
                )
        seen.append((option, place))


def in_use(folder: Path) -> bool:
    """Whether a path exists and is more than an empty folder.

    Args:
        folder: Where a folder is to be written.

    Raises:
        OSError: It cannot be looked up.
    """
    return is_there(folder) and (not folder.is_dir() or any(folder.iterdir()))


def check_not_current(out: Path, option: str) -> None:
    """Checks that a folder to replace is neither the current folder nor above it.

    Args:
        out: The folder.
        option: The option that names it, for messages.

    Raises:
        UsageError: It is: the shell would stay in the folder that is removed.
        OSError: It cannot be looked up.
    """
    if Path.cwd().is_relative_to(os.path.realpath(out)):
        raise UsageError(
            f"{option} must not be the current folder, since it is replaced as a whole. Received: {out}. "
            f"Pass another {option}, or change to another folder."
        )


def write_files(folder: Path, files: Mapping[str, bytes]) -> None:
    """Writes files into a folder, with the folders above them.

    Args:
        folder: It exists.
        files: Content by path inside it.

    Raises:
        OSError: One cannot be written.
    """
    for path, data in files.items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
