"""Precedence, types and paths: what a recipe comes to."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_runtime.common.errors import UnknownNameError, UsageError
from snapship.run.recipe import Recipe, toml_text
from snapship.run.resolved_recipe import portable, resolve


def recipe(base: Path | None = None, **tables: dict[str, Any]) -> Recipe:
    tables["train"] = {"data": "digits", "model": "small_cnn"} | tables.get("train", {})
    return Recipe("mine", "mine.toml" if base else "built-in", base, "", tables)


def test_option_wins_over_file_and_file_over_default() -> None:
    written = recipe(train={"epochs": 7, "batch_size": 16})
    resolved = resolve(written, settings={"train.epochs": "3"})
    assert (resolved.train.epochs, resolved.train.batch_size, resolved.train.seed) == (3, 16, 0)
    assert resolved.values["train"]["epochs"] == 3


def test_data_and_weights_options_win_over_the_file() -> None:
    written = recipe(train={"model": "mobilenet_v2", "weights": "imagenet"})
    resolved = resolve(written, data="photos", weights="w.h5")
    assert (resolved.train.data, resolved.train.weights) == ("photos", "w.h5")
    assert resolved.export.data == resolved.check.data == "photos"


def test_export_and_check_keep_the_data_of_their_own() -> None:
    resolved = resolve(recipe(export={"data": "mnist"}, check={"data": "cifar10"}), data="photos")
    assert (resolved.train.data, resolved.export.data, resolved.check.data) == ("photos", "mnist", "cifar10")


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("train.epochs", "3", 3),
        ("train.learning_rate", "1e-3", 1e-3),
        ("train.learning_rate", "auto", "auto"),
        ("train.learning_rate", "1", 1.0),
        ("train.model", "lenet5", "lenet5"),
        ("train.model", '"lenet5"', "lenet5"),
        ("train.unfreeze", "20", 20),
        ("train.unfreeze", "all", "all"),
        ("train.size", "none", None),
        ("train.train_batch_norm", "true", True),
        ("train.augment", '["flip", "shift"]', ("flip", "shift")),
        ("train.augment", "flip,shift", ("flip", "shift")),
        ("export.artifacts", "onnx-fp32, tflite-fp32", ("onnx-fp32", "tflite-fp32")),
        ("export.artifacts", "onnx-fp32", ("onnx-fp32",)),
        ("export.name", "2024", "2024"),
        ("check.margin", "0.05", 0.05),
        ("check.split", "all", "all"),
        ("check.weak_reference", "allow", "allow"),
        ("check.missing_classes", "allow", "allow"),
        ("export.weak_reference", "allow", "allow"),
    ],
)
def test_set_takes_what_a_user_types(key: str, text: str, value: object) -> None:
    table, name = key.split(".")
    found = getattr(getattr(resolve(recipe(), settings={key: text}), table), name)
    assert found == value
    assert type(found) is type(value)


def test_python_callers_pass_values_and_not_texts() -> None:
    resolved = resolve(
        recipe(), settings={"train.epochs": 3, "export.artifacts": ["onnx-fp32"], "check.margin": 0.1}
    )
    assert (resolved.train.epochs, resolved.export.artifacts, resolved.check.margin) == (
        3,
        ("onnx-fp32",),
        0.1,
    )


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("train.epochs", "three", "train.epochs must be a whole number. Received: 'three' in the options"),
        ("train.epochs", "1\ndata = 2", "train.epochs must be a whole number"),
        ("train.epochs", True, "train.epochs must be a whole number. Received: True"),
        ("train.train_batch_norm", "1", "must be true or false"),
        ("export.artifacts", 3, "export.artifacts must be a list"),
        ("check.split", "test", "check.split must be 'val' or 'train' or 'all'. Received: 'test'"),
        ("check.threads", "0", "threads must be 1 to 1024"),
        ("check.margin", "2", "margin must be above 0 and below 1"),
        ("train.epochs", "0", "epochs must be 1 to 10000"),
        ("train.model", "vgg", "model must be a known name"),
        ("export.calibration", "0", "calibration must be 1 to 100000"),
    ],
)
def test_wrong_value_is_refused(key: str, value: Any, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        resolve(recipe(), settings={key: value})


def test_wrong_type_in_the_file_names_the_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"train.epochs must be a whole number. Received: 'x' in mine.toml"):
        resolve(recipe(tmp_path, train={"epochs": "x"}))


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("epochs", "TABLE.KEY. Received: 'epochs'"),
        ("deploy.name", "one of the tables train, export, check"),
        ("train.epoch", "Did you mean epochs"),
        ("train.out", "Received: 'out'"),
        ("train.fresh", "Received: 'fresh'"),
        ("export.source", "Received: 'source'"),
    ],
)
def test_unknown_setting_is_refused(key: str, said: str) -> None:
    with pytest.raises(UnknownNameError, match=said):
        resolve(recipe(), settings={key: "1"})


def test_data_given_twice_is_refused() -> None:
    with pytest.raises(UsageError, match=r"train.data must be given once. Received: --data a and --set"):
        resolve(recipe(), data="a", settings={"train.data": "b"})


def test_paths_of_a_file_start_from_its_folder_and_those_of_options_here(tmp_path: Path) -> None:
    written = recipe(
        tmp_path,
        train={"data": "photos", "model": "mobilenet_v2", "weights": "w.h5"},
        check={"data": "/elsewhere"},
    )
    resolved = resolve(written)
    assert resolved.train.data == str(tmp_path / "photos")
    assert resolved.train.weights == str(tmp_path / "w.h5")
    assert resolved.check.data == "/elsewhere"
    assert resolve(written, data="here").train.data == "here"
    assert resolve(written, settings={"train.data": "here"}).train.data == "here"


def test_names_are_no_paths_and_home_is_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ada")
    written = recipe(tmp_path, train={"data": "mnist", "model": "mobilenet_v2", "weights": "imagenet"})
    assert (resolve(written).train.data, resolve(written).train.weights) == ("mnist", "imagenet")
    assert resolve(recipe(tmp_path, train={"data": "./mnist"})).train.data == str(tmp_path / "mnist")
    assert resolve(recipe(tmp_path, train={"data": "~/photos"})).train.data == "/home/ada/photos"


def test_results_lie_in_one_folder() -> None:
    paths = resolve(recipe(), out="there").paths
    assert paths.run == Path("there/run")
    assert paths.bundle == Path("there/mine.bundle")
    assert resolve(recipe()).paths.out == Path("runs/mine")


def test_saved_recipe_resolves_to_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    resolved = resolve(recipe(train={"epochs": 3}), data="photos", settings={"check.margin": "0.1"})
    saved = tomllib.loads(toml_text(portable(resolved.values)))
    assert saved["train"]["data"] == str(tmp_path / "photos")
    again = resolve(Recipe("mine", "saved.toml", Path("/elsewhere"), "", saved))
    assert again.values == portable(resolved.values)


_VALUES = st.one_of(
    st.text(), st.booleans(), st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False),
    st.lists(st.text(), max_size=3), st.dictionaries(st.text(), st.floats(allow_nan=False), max_size=3),
)  # fmt: skip


@given(st.dictionaries(st.from_regex("[a-z_]+", fullmatch=True), _VALUES, max_size=4))
def test_any_value_is_read_back_as_it_was_written(values: dict[str, Any]) -> None:
    assert tomllib.loads(toml_text({"train": values})) == {"train": values}
