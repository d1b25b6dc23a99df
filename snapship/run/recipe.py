"""A recipe as it is written: a TOML file of the user's, or one that comes with snapship."""

from __future__ import annotations

import os
import tomllib
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from edge_runtime.errors import UnknownNameError, UsageError
from snapship.run.keys import TABLES, check_keys

SUMMARY = "summary"
"""The one key outside the tables: a line for ``snapship run --list``."""

_SUFFIX = ".toml"


@dataclass(frozen=True)
class Recipe:
    """A recipe file, its keys known and its values not looked at yet.

    Attributes:
        name: The file's name without ``.toml``.
        where: The file, or ``built-in``; for messages.
        base: The folder that relative paths in it start from; None for the current one.
        summary: One line.
        tables: Values by table and key.
    """

    name: str
    where: str
    base: Path | None
    summary: str
    tables: dict[str, dict[str, Any]]


def builtin_names() -> tuple[str, ...]:
    """Names of the recipes that come with snapship, sorted."""
    folder = resources.files("snapship") / "recipes"
    return tuple(
        sorted(entry.name[: -len(_SUFFIX)] for entry in folder.iterdir() if entry.name.endswith(_SUFFIX))
    )


def read_recipe(recipe: str | os.PathLike[str]) -> Recipe:
    """Reads a recipe.

    Args:
        recipe: The name of a built-in one, or the path of a ``.toml`` file. A built-in name
            wins over a file of that name; write ``./mnist`` for the file.

    Raises:
        UnknownNameError: There is no such recipe, or a table or key in it is not known.
        UsageError: The file cannot be read or is no TOML.
    """
    name = os.fspath(recipe)
    known = builtin_names()
    if name in known:
        text = (resources.files("snapship") / "recipes" / f"{name}{_SUFFIX}").read_text("utf-8")
        return _parsed(text, name, "built-in", None)
    path = Path(name)
    if not path.suffix and len(path.parts) <= 1 and not path.exists():
        raise UnknownNameError(
            f"A recipe must be a {_SUFFIX} file or a built-in name. Received: {name!r}. "
            f"Use one of: {', '.join(known)}."
        )
    try:
        text = path.read_text("utf-8")
    except (OSError, ValueError) as error:
        reason = "not UTF-8 text" if isinstance(error, UnicodeDecodeError) else None
        reason = reason or getattr(error, "strerror", None) or str(error)
        raise UsageError(
            f"A recipe must be a {_SUFFIX} file that can be read. Received: {name} ({reason}). "
            f"Check the path, or use one of: {', '.join(known)}."
        ) from error
    return _parsed(text, path.stem, name, path.absolute().parent)


def _parsed(text: str, name: str, where: str, base: Path | None) -> Recipe:
    try:
        found = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise UsageError(f"A recipe must be TOML. Received: {where} ({error}). Correct that line.") from error
    summary = found.pop(SUMMARY, "")
    if not isinstance(summary, str):
        raise UsageError(f"{SUMMARY} must be a text. Received: {summary!r} in {where}. Put it in quotes.")
    for table, values in found.items():
        if table not in TABLES:
            raise UnknownNameError(
                f"A recipe's tables must be known. Received: {table!r} in {where}. "
                f"Use {', '.join(f'[{known}]' for known in TABLES)}, and {SUMMARY} above them."
            )
        if not isinstance(values, dict):
            raise UsageError(
                f"{table} must be a table. Received: {table} = {values!r} in {where}. "
                f"Write [{table}] and its keys below."
            )
        check_keys(table, values, where)
    return Recipe(name, where, base, summary, found)
