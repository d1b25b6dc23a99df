"""Recipes as they are read: built-in ones, the user's files, and everything wrong with these."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_runtime.common.errors import SnapshipError, UnknownNameError, UsageError
from snapship.run import builtin_names, read_recipe
from snapship.run.recipe import TABLES
from snapship.run.resolved_recipe import resolve


def written(folder: Path, text: str, name: str = "mine.toml") -> Path:
    path = folder / name
    path.write_text(text, "utf-8")
    return path


def test_builtin_recipes_are_those_of_the_design() -> None:
    assert builtin_names() == ("cifar10", "fashion_mnist", "flowers", "imagenet", "lenet5", "mnist")


@pytest.mark.parametrize("name", builtin_names())
def test_builtin_recipe_is_a_whole_configuration(name: str, tmp_path: Path) -> None:
    recipe = read_recipe(name)
    assert recipe.summary
    assert set(recipe.tables) <= set(TABLES)
    resolved = resolve(recipe, data=tmp_path)
    assert resolved.paths.out == Path("runs") / name
    assert resolved.export.name == name
    assert resolved.train.model == recipe.tables["train"]["model"]


@pytest.mark.parametrize("name", ["flowers", "imagenet"])
def test_recipe_without_data_asks_for_it(name: str) -> None:
    with pytest.raises(UsageError, match=f"no train.data in the built-in recipe {name}. Pass --data"):
        resolve(read_recipe(name))


def test_users_file_is_read_with_its_folder(tmp_path: Path) -> None:
    path = written(tmp_path, 'summary = "mine"\n[train]\ndata = "photos"\n')
    recipe = read_recipe(path)
    assert (recipe.name, recipe.summary, recipe.base) == ("mine", "mine", tmp_path)
    assert recipe.tables == {"train": {"data": "photos"}}


def test_builtin_name_wins_over_a_file_of_that_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(tmp_path, '[train]\ndata = "digits"\n', "mnist")
    monkeypatch.chdir(tmp_path)
    assert read_recipe("mnist").where == "built-in"
    assert read_recipe("./mnist").tables == {"train": {"data": "digits"}}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[train]\nepochs = \n", r"must be TOML. Received: .*mine.toml \(.*line 2"),
        ("[train]\nepoch = 3", r"key of \[train\].*'epoch' in .*mine.toml. Did you mean epochs\? .*, batch_size,"),
        ("[train]\nout = 'x'", r"key of \[train\].*'out' .*data, model,"),
        ("[check]\nfast = true", r"key of \[check\].*'fast' .*data, split, margin, .*threads, inconclusive"),
        ("[deploy]\n", r"tables must be known. Received: 'deploy' .*\[train\], \[export\], \[check\]"),
        ("name = 'x'", r"tables must be known. Received: 'name'"),
        ("train = 3", r"train must be a table. Received: train = 3"),
        ("summary = 3", r"summary must be a string. Received: 3"),
    ],
)  # fmt: skip
def test_wrong_file_is_told_in_a_line(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said) as caught:
        read_recipe(written(tmp_path, text))
    assert "\n" not in str(caught.value)


def test_unknown_name_lists_the_builtin_ones() -> None:
    with pytest.raises(UnknownNameError, match=r"Received: 'mnits'. Use one of: cifar10, .*, mnist\."):
        read_recipe("mnits")


def test_missing_folder_and_binary_files_are_told(tmp_path: Path) -> None:
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00")
    for path, why in (
        (tmp_path / "gone.toml", "No such file"),
        (tmp_path, "Is a directory"),
        (tmp_path / "binary.toml", "not UTF-8 text"),
        ("a\0b.toml", "null byte"),
    ):
        with pytest.raises(UsageError, match=f"A recipe must be a readable .toml file.*{why}"):
            read_recipe(path)


def test_deeply_nested_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SnapshipError, match="must be TOML"):
        read_recipe(written(tmp_path, f"a = {'[' * 20_000}"))
