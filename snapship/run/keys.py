"""What a recipe may say: the keys of each table, and the types of their values.

The keys are the fields of the configurations that the tables become, so that each knob is
defined once, where it is used.
"""

from __future__ import annotations

import operator
import os
import tomllib
import types
from collections.abc import Iterable, Sequence
from dataclasses import fields
from difflib import get_close_matches
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Union, get_args, get_origin, get_type_hints

import msgspec

from edge_runtime.errors import UnknownNameError, UsageError

if TYPE_CHECKING:
    from exporter import CheckConfig, ExportConfig
    from trainer import TrainConfig

TABLES = ("train", "export", "check")
"""The steps, in the order in which they run."""

_DECIDED = {
    "train": {"out", "overwrite", "fresh"},
    "export": {"source", "out", "overwrite", "labels", "fit", "resize"},
    "check": {
        "bundle",
        "reference",
        "candidate",
        "labels",
        "fit",
        "resize",
        "input_range",
        "reference_range",
        "quick",
    },
}
"""Fields that the recipe's runner sets: where things lie follows from --out."""

_NO = object()
"""A value that is not of the type."""


def keys(table: str) -> dict[str, Any]:
    """The keys of a table, in the order of their definition, with their types.

    Args:
        table: One of :data:`TABLES`.
    """
    kind = config_of(table)
    hints = get_type_hints(kind)
    return {field.name: hints[field.name] for field in fields(kind) if field.name not in _DECIDED[table]}


def config_of(table: str) -> type[TrainConfig | ExportConfig | CheckConfig]:
    """The configuration that a table becomes.

    Args:
        table: One of :data:`TABLES`.
    """
    from exporter import CheckConfig, ExportConfig
    from trainer import TrainConfig

    return {"train": TrainConfig, "export": ExportConfig, "check": CheckConfig}[table]


def check_keys(table: str, names: Iterable[str], where: str) -> None:
    """Refuses keys that a table does not have.

    Args:
        table: One of :data:`TABLES`.
        names: The keys that it was given.
        where: Who gave them, for the message.

    Raises:
        UnknownNameError: One is not known.
    """
    known = keys(table)
    for name in names:
        if name not in known:
            close = get_close_matches(name, known, n=1)
            hint = f"Did you mean {close[0]}? Known keys: " if close else "Use one of: "
            raise UnknownNameError(
                f"A key of [{table}] must be known. Received: {name!r} in {where}. {hint}{', '.join(known)}."
            )


def is_path(hint: Any) -> bool:
    """Whether values of a type may be paths."""
    return any(part is Path or get_origin(part) is os.PathLike for part in _parts(hint))


def typed(name: str, value: Any, hint: Any, where: str) -> Any:
    """Returns a value as its field takes it: lists become tuples, whole numbers floats.

    Args:
        name: ``table.key``, for the message.
        value: From TOML or Python.
        hint: The field's type.
        where: Who gave it, for the message.

    Raises:
        UsageError: It is of another type.
    """
    found = _converted(value, hint)
    if found is _NO:
        raise UsageError(f"{name} must be {_words(hint)}. Received: {value!r} in {where}. Correct it.")
    return found


def typed_text(name: str, text: str, hint: Any, where: str) -> Any:
    """As :func:`typed` for what was typed after ``--set``: a TOML value, or a text without quotes.

    A list may be written as ``a,b``, and what may be left open as ``none``.

    Args:
        name: ``table.key``, for the message.
        text: What was typed.
        hint: The field's type.
        where: Who gave it, for the message.

    Raises:
        UsageError: It is of another type.
    """
    listed = [part.strip() for part in text.split(",") if part.strip()]
    # The text itself before the list, or every text would be a list of one.
    for value in (*_toml(text), *_number(text), text, listed, *([None] if text.lower() == "none" else [])):
        found = _converted(value, hint)
        if found is not _NO:
            return found
    return typed(name, text, hint, where)


def _number(text: str) -> list[Any]:
    """``.001``, which TOML does not know."""
    try:
        return [float(text)]
    except ValueError:
        return []


def _toml(text: str) -> list[Any]:
    try:
        found = tomllib.loads(f"value = {text}")
    except (tomllib.TOMLDecodeError, RecursionError):
        return []
    return [found["value"]] if set(found) == {"value"} else []


def _parts(hint: Any) -> tuple[Any, ...]:
    return get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)


def _converted(value: Any, hint: Any) -> Any:
    """The value as one of the type, or :data:`_NO`."""
    try:
        return msgspec.convert(
            os.fspath(value) if isinstance(value, os.PathLike) else value, _data_type(hint)
        )
    except msgspec.ValidationError:
        return _NO


def _data_type(hint: Any) -> Any:
    """The type of plain data for a field: paths are texts."""
    parts = _parts(hint)
    if len(parts) > 1:
        return reduce(operator.or_, map(_data_type, parts))
    return str if is_path(hint) else tuple[str, ...] if get_origin(hint) is Sequence else hint


def _words(hint: Any) -> str:
    """A type for people."""
    names = {bool: "true or false", int: "a whole number", float: "a number", str: "a text", Path: "a path"}
    words = []
    for part in _parts(hint):
        if get_origin(part) is Literal:
            words.append(" or ".join(repr(known) for known in get_args(part)))
        elif get_origin(part) in (tuple, Sequence):
            words.append("a list")
        elif get_origin(part) is os.PathLike:
            words.append("a path")
        elif part is not type(None):
            words.append(names.get(part, str(part)))
    return " or ".join(dict.fromkeys(words))
