"""A recipe file: what it may contain, how it is read, and how it is written.

The keys of a table are the fields of the configuration that the table becomes, so each option is
defined once, where it is used.
"""

from __future__ import annotations

import json
import os
import tomllib
import types
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, dataclass, fields
from difflib import get_close_matches
from importlib import resources
from pathlib import Path
from typing import Any, NamedTuple, Union, get_args, get_origin, get_type_hints

from edge_runtime.common.errors import UnknownNameError, UsageError
from edge_runtime.common.text import as_utf8

TABLES = ("train", "export", "check")
"""The steps, in the order in which they run."""

SUMMARY = "summary"
"""The one key outside the tables: a line for ``snapship run --list``."""

_SUFFIX = ".toml"

_RESERVED = {
    "train": {"out", "overwrite", "fresh"},
    "export": {"source", "out", "overwrite", "labels", "fit", "resize"},
    "check": {"bundle", "reference", "candidate", "labels", "fit", "resize", "input_range", "reference_range",
              "quick"},
}  # fmt: skip
"""Fields that a recipe cannot set: the runner does, since all paths follow from ``--out``."""


@dataclass(frozen=True)
class Recipe:
    """A recipe file; its keys are known, its values are not checked yet.

    Attributes:
        name: The file's name without ``.toml``.
        where: The file, or ``built-in``; for messages.
        base: The folder that its relative paths start from; None for the current one.
        summary: One line.
        tables: Values by table and key.
    """

    name: str
    where: str
    base: Path | None
    summary: str
    tables: dict[str, dict[str, Any]]


class RecipeKey(NamedTuple):
    """A key of a table.

    Attributes:
        hint: The type of its field.
        default: The field's default; None where there is none.
    """

    hint: Any
    default: Any


def keys(table: str) -> dict[str, RecipeKey]:
    """The keys of a table, in the order of their definition.

    Args:
        table: One of :data:`TABLES`.
    """
    from exporter import CheckConfig, ExportConfig
    from trainer import TrainConfig

    config = {"train": TrainConfig, "export": ExportConfig, "check": CheckConfig}[table]
    hints = get_type_hints(config)
    found = {}
    for field in fields(config):
        if field.name not in _RESERVED[table]:
            default = None if field.default is MISSING else field.default
            if field.default_factory is not MISSING:
                default = field.default_factory()
            found[field.name] = RecipeKey(hints[field.name], default)
    return found


def check_keys(table: str, names: Iterable[str], where: str) -> None:
    """Rejects keys that a table does not have.

    Args:
        table: One of :data:`TABLES`.
        names: The keys to check.
        where: Their origin, for the message.

    Raises:
        UnknownNameError: A key is unknown.
    """
    known = keys(table)
    for name in names:
        if name not in known:
            close = get_close_matches(name, known, n=1)
            hint = f"Did you mean {close[0]}? Known keys: " if close else "Use one of: "
            raise UnknownNameError(
                f"A key of [{table}] must be known. Received: {name!r} in {where}. {hint}{', '.join(known)}."
            )


def union_members(hint: Any) -> tuple[Any, ...]:
    """The members of a union; any other type alone."""
    return get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)


def is_path(hint: Any) -> bool:
    """Whether values of a type may be paths."""
    return any(part is Path or get_origin(part) is os.PathLike for part in union_members(hint))


def builtin_names() -> tuple[str, ...]:
    """Names of the built-in recipes, sorted."""
    files = (resources.files("snapship") / "recipes").iterdir()
    return tuple(sorted(file.name.removesuffix(_SUFFIX) for file in files if file.name.endswith(_SUFFIX)))


def read_recipe(recipe: str | os.PathLike[str]) -> Recipe:
    """Reads a recipe.

    Args:
        recipe: The name of a built-in recipe, or the path of a ``.toml`` file. A built-in name
            takes precedence over a file of that name; write ``./mnist`` for the file.

    Raises:
        UnknownNameError: There is no such recipe, or it has an unknown table or key.
        UsageError: The file cannot be read or is not TOML.
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
            f"A recipe must be a readable {_SUFFIX} file. Received: {name} ({reason}). "
            f"Check the path, or use one of: {', '.join(known)}."
        ) from error
    return _parsed(text, path.stem, name, path.absolute().parent)


def toml_text(tables: Mapping[str, Mapping[str, Any]]) -> str:
    """Returns tables as TOML, which Python reads but does not write.

    Args:
        tables: Strings, booleans, numbers, and lists and mappings of these, by table and key.
    """
    parts = [
        "\n".join([f"[{table}]", *(f"{key} = {_toml_value(value)}" for key, value in values.items())])
        for table, values in tables.items()
    ]
    return "\n\n".join(parts) + "\n"


def _parsed(text: str, name: str, where: str, base: Path | None) -> Recipe:
    try:
        found = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise UsageError(f"A recipe must be TOML. Received: {where} ({error}). Correct that line.") from error
    summary = found.pop(SUMMARY, "")
    if not isinstance(summary, str):
        raise UsageError(f"{SUMMARY} must be a string. Received: {summary!r} in {where}. Put it in quotes.")
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


def _toml_value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        # Python writes 1e-05, which TOML reads too.
        return repr(value)
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_toml_value, value))}]"
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{_toml_value(str(key))} = {_toml_value(item)}' for key, item in value.items())}}}"
    # A JSON string is a TOML string, except that TOML wants DEL escaped.
    return json.dumps(as_utf8(str(value)), ensure_ascii=False).replace("\x7f", "\\u007f")
