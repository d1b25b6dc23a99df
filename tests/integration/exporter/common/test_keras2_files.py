"""Files that TensorFlow 2.15 wrote (``tests/data/make_keras2.py``) answer as they did there, or are refused."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from edge_runtime.common.errors import ModelFileError
from exporter.common.backend import load_keras
from exporter.common.keras2 import for_keras3
from exporter.source.external import look_at
from exporter.source.full_model import find_source, load_source

FILES = Path(__file__).resolve().parents[3] / "data" / "keras2"
ANSWERS = json.loads((FILES / "answers.json").read_text(encoding="utf-8"))
SIZE = 12


@pytest.mark.parametrize("suffix", ["h5", "keras"])
@pytest.mark.parametrize("name", sorted(ANSWERS))
def test_file_of_keras_2_gives_the_answers_that_it_gave_there(name: str, suffix: str) -> None:
    path = FILES / f"{name}.{suffix}"
    before = path.read_bytes()
    full = load_source(find_source(path))
    image = np.linspace(0, 1, SIZE * SIZE * 3, dtype=np.float32).reshape(1, SIZE, SIZE, 3)
    assert np.abs(full.call(image).numpy()[0] - ANSWERS[name]).max() < 1e-4
    assert path.read_bytes() == before
    # What is hashed is the user's file, not the copy that Keras was given.
    assert look_at(path).bytes == len(before)


def test_activation_with_another_formula_is_refused() -> None:
    with pytest.raises(ModelFileError, match=r"hard_sigmoid, which Keras 3 computes differently.*SavedModel"):
        load_source(find_source(FILES / "hard_sigmoid.h5"))


def test_same_activation_in_a_file_of_keras_3_is_what_keras_3_computes(tmp_path: Path) -> None:
    layers = load_keras().layers
    image = load_keras().Input((8, 8, 3))
    x = layers.GlobalAveragePooling2D()(layers.Conv2D(2, 3, activation="hard_sigmoid")(image))
    for name in ("own.h5", "own.keras"):
        load_keras().Model(image, layers.Dense(3, activation="softmax")(x)).save(tmp_path / name)
        assert load_source(find_source(tmp_path / name)).classes == 3


def test_what_keras_3_does_not_have_is_named_whole_with_the_way_out() -> None:
    with pytest.raises(ModelFileError) as caught:
        load_source(find_source(FILES / "operation.h5"))
    text = str(caught.value)
    assert "(Unknown layer: 'TFOpLambda')" in text
    assert "model.export(FOLDER)" in text
    assert "config=" not in text


def test_unknown_key_is_named(tmp_path: Path) -> None:
    import h5py

    path = tmp_path / "model.h5"
    shutil.copy(FILES / "plain.h5", path)
    with h5py.File(path, "r+") as file:
        text = file.attrs["model_config"]
        file.attrs["model_config"] = re.sub(r'"depth_multiplier": 1', '"depth_multiplier": 1, "odd": 3', text)
    with pytest.raises(ModelFileError, match=r"Unrecognized keyword arguments passed to \w+: 'odd'\)"):
        load_source(find_source(path))


def test_weights_alone_are_told_from_a_model(tmp_path: Path) -> None:
    layers = load_keras().layers
    model = load_keras().Sequential([load_keras().Input((8, 8, 3)), layers.Flatten(), layers.Dense(3)])
    model.save_weights(tmp_path / "model.weights.h5")
    with pytest.raises(ModelFileError, match=r"holds weights alone: save the whole model with model\.save"):
        load_source(find_source(tmp_path / "model.weights.h5"))


def test_file_that_needs_nothing_is_opened_where_it_lies(tmp_path: Path) -> None:
    layers = load_keras().layers
    image = load_keras().Input((8, 8, 3))
    inner = load_keras().Model(image, layers.SpatialDropout2D(0.1)(layers.DepthwiseConv2D(3)(image)))
    taken = load_keras().Input((8, 8, 3))
    model = load_keras().Model(taken, layers.Dense(3)(layers.Flatten()(inner(taken))))
    for name in ("own.h5", "own.keras"):
        model.save(tmp_path / name)
        with for_keras3(tmp_path / name) as path:
            assert path == tmp_path / name
    (tmp_path / "damaged.h5").write_bytes(b"nothing")
    with for_keras3(tmp_path / "damaged.h5") as path:
        assert path == tmp_path / "damaged.h5"
