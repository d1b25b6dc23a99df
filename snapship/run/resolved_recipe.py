"""A resolved recipe: every value after precedence, as the configurations of training, export and check."""

from __future__ import annotations

import operator
import os
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin

import msgspec

from edge_runtime.common.errors import UnknownNameError, UsageError
from snapship.run.recipe import TABLES, Recipe, check_keys, is_path, keys, union_members

if TYPE_CHECKING:
    from exporter import CheckConfig, ExportConfig
    from trainer import TrainConfig

_COMMAND_LINE = "the options"

_INVALID = object()
"""A value that is not of the type."""


@dataclass(frozen=True)
class RecipePaths:
    """Where the results of a recipe are.

    Attributes:
        out: The recipe's folder.
        run: The run folder.
        bundle: The bundle.
        check_json: The check's report.
        check_page: The same as an HTML page.
        recipe: The recipe with every value resolved.
        state: Which steps are done, with which inputs.
    """

    out: Path
    run: Path
    bundle: Path
    check_json: Path
    check_page: Path
    recipe: Path
    state: Path

    @classmethod
    def of(cls, out: Path, name: str) -> RecipePaths:
        """Derives the paths.

        Args:
            out: The recipe's folder.
            name: The recipe's name.
        """
        return cls(
            out, out / "run", out / f"{name}.bundle", out / "check.json", out / "check.html",
            out / "recipe.toml", out / "recipe-state.json",
        )  # fmt: skip


@dataclass(frozen=True)
class ResolvedRecipe:
    """A recipe, ready to run.

    Attributes:
        name: The recipe's name.
        where: Its file, or ``built-in``.
        paths: Where its results are.
        train: How to train.
        export: How to export.
        check: How to check.
        values: Every value by table and key, as the saved recipe has them.
    """

    name: str
    where: str
    paths: RecipePaths
    train: TrainConfig
    export: ExportConfig
    check: CheckConfig
    values: dict[str, dict[str, Any]]


def resolve(
    recipe: Recipe,
    *,
    data: str | os.PathLike[str] | None = None,
    weights: str | os.PathLike[str] | None = None,
    out: str | os.PathLike[str] | None = None,
    settings: Mapping[str, Any] | None = None,
) -> ResolvedRecipe:
    """Resolves every value and rejects invalid ones; reads no data.

    Args:
        recipe: What :func:`snapship.run.recipe.read_recipe` returned.
        data: Replaces ``train.data``.
        weights: Replaces ``train.weights``.
        out: The folder for the results; None for ``runs/<name of the recipe>``.
        settings: Values by ``table.key``; strings are parsed as after ``--set``.

    Raises:
        UsageError: A value is missing, has the wrong type, is out of range or is given twice.
        UnknownNameError: A table, key or name is unknown.
    """
    from exporter import CheckConfig, ExportConfig
    from exporter.config.export_config import valid_name
    from trainer import TrainConfig

    chosen = dict(settings or {})
    for name, value in (("train.data", data), ("train.weights", weights)):
        if value is not None:
            if name in chosen:
                raise UsageError(
                    f"{name} must be given once. Received: --{name.partition('.')[2]} {os.fspath(value)} and "
                    f"--set {name}. Leave one out."
                )
            chosen[name] = os.fspath(value)
    values = _resolved_values(recipe, chosen)
    trained_on = values["train"].get("data")
    if not trained_on:
        raise UsageError(
            f"A recipe needs training data. Received: no train.data in {_origin(recipe)}. "
            "Pass --data DATA, for example a folder with one sub-folder per class."
        )
    paths = RecipePaths.of(Path(out) if out is not None else Path("runs") / recipe.name, recipe.name)
    if recipe.name and valid_name(recipe.name):
        values["export"].setdefault("name", recipe.name)
    return ResolvedRecipe(
        name=recipe.name,
        where=recipe.where,
        paths=paths,
        train=TrainConfig(**values["train"], out=paths.run, overwrite=True),
        # The data is passed explicitly, so that a copy in another place works too.
        export=ExportConfig(**{"data": trained_on} | values["export"], source=paths.run, out=paths.bundle,
                            overwrite=True),
        check=CheckConfig(**{"data": trained_on} | values["check"], bundle=paths.bundle, reference=paths.run),
        values=values,
    )  # fmt: skip


def portable(values: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Returns the values with absolute paths, so that the saved recipe works from any folder.

    Args:
        values: Values by table and key, of :class:`ResolvedRecipe`.
    """
    absolute = {}
    for table, found in values.items():
        known = keys(table)
        absolute[table] = {
            key: os.path.abspath(value) if _names_file(key, known[key].hint, value) else value
            for key, value in found.items()
        }
    return absolute


def _resolved_values(recipe: Recipe, chosen: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Every value by table and key: from the options, else from the file, else the default.

    Relative paths in a user's file start from its folder, all others from the current one.
    None, an open value, is left out.
    """
    _check_settings(chosen)
    resolved: dict[str, dict[str, Any]] = {table: {} for table in TABLES}
    for table in TABLES:
        written = recipe.tables.get(table, {})
        for name, key in keys(table).items():
            full, value = f"{table}.{name}", key.default
            if full in chosen:
                read = _typed_text if isinstance(chosen[full], str) else _typed
                value = read(full, chosen[full], key.hint, _COMMAND_LINE)
            elif name in written:
                value = _typed(full, written[name], key.hint, _origin(recipe))
                if recipe.base is not None and _names_file(name, key.hint, value):
                    value = str(recipe.base / os.path.expanduser(value))
            if value is not None:
                resolved[table][name] = value
    return resolved


def _check_settings(chosen: Mapping[str, Any]) -> None:
    for name in chosen:
        table, dot, key = name.partition(".")
        if not dot or table not in TABLES:
            raise UnknownNameError(
                f"A setting must be TABLE.KEY. Received: {name!r}. Use one of the tables "
                f"{', '.join(TABLES)}, as in train.epochs."
            )
        check_keys(table, [key], _COMMAND_LINE)


def _names_file(key: str, hint: Any, value: Any) -> bool:
    """Whether a value is a path, and not a name such as ``mnist`` or ``imagenet``."""
    from edge_runtime.dataset import ARRAY_NAMES

    names = ("imagenet", "none") if key == "weights" else ("digits", *ARRAY_NAMES)
    return bool(value) and is_path(hint) and value not in names


def _origin(recipe: Recipe) -> str:
    return f"the built-in recipe {recipe.name}" if recipe.base is None else recipe.where


def _typed(name: str, value: Any, hint: Any, where: str) -> Any:
    """Converts a value to the type of its field: lists to tuples, whole numbers to floats, paths to strings."""
    found = _converted(value, hint)
    if found is _INVALID:
        raise UsageError(f"{name} must be {_described(hint)}. Received: {value!r} in {where}. Correct it.")
    return found


def _typed_text(name: str, text: str, hint: Any, where: str) -> Any:
    """As :func:`_typed` for what follows ``--set``."""
    for value in _meanings(text):
        found = _converted(value, hint)
        if found is not _INVALID:
            return found
    return _typed(name, text, hint, where)


def _meanings(text: str) -> Iterator[Any]:
    """What a string on the command line may mean: a TOML value, a number, itself, a list, ``none``."""
    with suppress(tomllib.TOMLDecodeError, RecursionError):
        found = tomllib.loads(f"value = {text}")
        if set(found) == {"value"}:
            yield found["value"]
    with suppress(ValueError):
        # .001 is not valid TOML.
        yield float(text)
    yield text
    # After the string itself, or every string would be a list of one.
    yield [part.strip() for part in text.split(",") if part.strip()]
    if text.lower() == "none":
        yield None


def _converted(value: Any, hint: Any) -> Any:
    """The value as one of the type, or :data:`_INVALID`."""
    try:
        return msgspec.convert(
            os.fspath(value) if isinstance(value, os.PathLike) else value, _plain_type(hint)
        )
    except msgspec.ValidationError:
        return _INVALID


def _plain_type(hint: Any) -> Any:
    """The type of a field's value in plain data: a path is a string."""
    parts = union_members(hint)
    if len(parts) > 1:
        return reduce(operator.or_, map(_plain_type, parts))
    return str if is_path(hint) else tuple[str, ...] if get_origin(hint) is Sequence else hint


def _described(hint: Any) -> str:
    """A type in words."""
    names = {bool: "true or false", int: "a whole number", float: "a number", str: "a string", Path: "a path"}
    words = []
    for part in union_members(hint):
        if get_origin(part) is Literal:
            words.append(" or ".join(repr(known) for known in get_args(part)))
        elif get_origin(part) in (tuple, Sequence):
            words.append("a list")
        elif get_origin(part) is os.PathLike:
            words.append("a path")
        elif part is not type(None):
            words.append(names.get(part, str(part)))
    return " or ".join(dict.fromkeys(words))
