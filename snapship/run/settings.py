"""What a recipe comes to: every value after precedence, as the houses' own configurations."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge_runtime.errors import UnknownNameError, UsageError
from snapship.run.keys import TABLES, check_keys, config_of, is_path, keys, typed, typed_text
from snapship.run.recipe import Recipe

if TYPE_CHECKING:
    from exporter import CheckConfig, ExportConfig
    from trainer import TrainConfig

_COMMAND_LINE = "the options"


@dataclass(frozen=True)
class Layout:
    """Where a recipe's results lie.

    Attributes:
        out: The recipe's folder.
        run: The run folder.
        bundle: The bundle.
        check_json: What the check found.
        check_page: The same for people.
        recipe: The recipe as it was used.
        state: What was done with which inputs.
    """

    out: Path
    run: Path
    bundle: Path
    check_json: Path
    check_page: Path
    recipe: Path
    state: Path

    @classmethod
    def of(cls, out: Path, name: str) -> Layout:
        """Names the places.

        Args:
            out: The recipe's folder.
            name: The recipe's name.
        """
        return cls(
            out, out / "run", out / f"{name}.bundle", out / "check.json", out / "check.html",
            out / "recipe.toml", out / "recipe-state.json",
        )  # fmt: skip


@dataclass(frozen=True)
class Settings:
    """A recipe, ready to run.

    Attributes:
        name: The recipe's name.
        where: Its file, or ``built-in``.
        layout: Where its results lie.
        train: How to train.
        export: How to export.
        check: How to check.
        values: Every value by table and key, as the saved recipe has them.
    """

    name: str
    where: str
    layout: Layout
    train: TrainConfig
    export: ExportConfig
    check: CheckConfig
    values: dict[str, dict[str, Any]]


def settle(
    recipe: Recipe,
    *,
    data: str | os.PathLike[str] | None = None,
    weights: str | os.PathLike[str] | None = None,
    out: str | os.PathLike[str] | None = None,
    settings: Mapping[str, Any] | None = None,
) -> Settings:
    """Settles every value and refuses what cannot work; nothing is read but the recipe.

    Args:
        recipe: What :func:`snapship.run.recipe.read_recipe` read.
        data: Replaces ``train.data``.
        weights: Replaces ``train.weights``.
        out: The folder that gets the results; None for ``runs/<name of the recipe>``.
        settings: Values by ``table.key``; texts are read as after ``--set``.

    Raises:
        UsageError: A value is missing, of another type or out of its range, or given twice.
        UnknownNameError: A table, key or name is not known.
    """
    from exporter import CheckConfig, ExportConfig
    from exporter.config import valid_name
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
    values = settled_values(recipe, chosen)
    if not values["train"].get("data"):
        raise UsageError(
            f"A recipe must say what to train on. Received: no train.data in {_named(recipe)}. "
            "Pass --data DATA, such as a folder with one sub-folder a class."
        )
    layout = Layout.of(Path(out) if out is not None else Path("runs") / recipe.name, recipe.name)
    if recipe.name and valid_name(recipe.name):
        values["export"].setdefault("name", recipe.name)
    trained_on = values["train"]["data"]
    return Settings(
        name=recipe.name,
        where=recipe.where,
        layout=layout,
        train=TrainConfig(**values["train"], out=layout.run, overwrite=True),
        # The training's data is named, so that a copy elsewhere serves as well.
        export=ExportConfig(**{"data": trained_on} | values["export"], source=layout.run, out=layout.bundle,
                            overwrite=True),
        check=CheckConfig(**{"data": trained_on} | values["check"], bundle=layout.bundle, reference=layout.run),
        values=values,
    )  # fmt: skip


def settled_values(recipe: Recipe, chosen: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Every value by table and key: the command line's, else the file's, else the default.

    Relative paths of a user's recipe file start from its folder; all others from the
    current one. Values that are open (None) are left out.

    Args:
        recipe: The file.
        chosen: The command line's, by ``table.key``.

    Raises:
        UsageError: A value is of another type.
        UnknownNameError: A table or key is not known.
    """
    options = _by_table(chosen)
    settled: dict[str, dict[str, Any]] = {}
    for table in TABLES:
        written = recipe.tables.get(table, {})
        settled[table] = {}
        for key, hint in keys(table).items():
            name = f"{table}.{key}"
            if key in options[table]:
                given = options[table][key]
                read = typed_text if isinstance(given, str) else typed
                value = _placed(key, read(name, given, hint, _COMMAND_LINE), hint, None)
            elif key in written:
                value = _placed(key, typed(name, written[key], hint, _named(recipe)), hint, recipe.base)
            else:
                value = _default(table, key)
            if value is not None:
                settled[table][key] = value
    return settled


def _by_table(chosen: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    tables: dict[str, dict[str, Any]] = {table: {} for table in TABLES}
    for name, value in chosen.items():
        table, dot, key = name.partition(".")
        if not dot or table not in TABLES:
            raise UnknownNameError(
                f"A setting must be TABLE.KEY. Received: {name!r}. Use one of the tables "
                f"{', '.join(TABLES)}, as in train.epochs."
            )
        check_keys(table, [key], _COMMAND_LINE)
        tables[table][key] = value
    return tables


def _placed(key: str, value: Any, hint: Any, base: Path | None) -> Any:
    """A path from where it starts; names such as ``mnist`` and ``imagenet`` are no paths."""
    if value is None or not is_path(hint):
        return value
    text = os.fspath(value)
    if not text or text in _names(key):
        return text
    if base is None:
        return text
    return str(base / os.path.expanduser(text))


def _names(key: str) -> tuple[str, ...]:
    from edge_runtime.dataset import ARRAY_NAMES

    return ("imagenet", "none") if key == "weights" else ("digits", *ARRAY_NAMES)


def portable(values: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The same values with absolute paths, so that the saved recipe means the same anywhere here.

    Args:
        values: What :func:`settled_values` returned.
    """
    return {
        table: {
            key: os.path.abspath(value)
            if is_path(keys(table)[key]) and value and value not in _names(key)
            else value
            for key, value in found.items()
        }
        for table, found in values.items()
    }


def _default(table: str, key: str) -> Any:
    field = next(field for field in fields(config_of(table)) if field.name == key)
    if field.default_factory is not MISSING:
        return field.default_factory()
    return None if field.default is MISSING else field.default


def _named(recipe: Recipe) -> str:
    return f"the built-in recipe {recipe.name}" if recipe.base is None else recipe.where
