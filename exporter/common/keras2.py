"""Model files of Keras 2 (TensorFlow up to 2.15, Teachable Machine), opened in Keras 3.

Keras 2 wrote keys with one legal value or without any effect on answers, and names that Keras 3
refuses. Those are repaired in a copy of the file; the weights and whatever could change an answer
stay as they are, for Keras to take or to refuse.
"""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from edge_runtime.common.errors import ModelFileError
from edge_runtime.common.temporary import temporary_folder

_ANY = object()

_ONE_GROUP = {"groups": 1}
_NO_KERNEL = {"kernel_initializer": _ANY, "kernel_regularizer": _ANY, "kernel_constraint": _ANY}
_NO_WEIGHTS = {"trainable": _ANY, "noise_shape": None}

_DEAD_KEYS: dict[str, dict[str, Any]] = {
    "DepthwiseConv1D": _ONE_GROUP,
    "DepthwiseConv2D": _ONE_GROUP,
    "Conv1DTranspose": _ONE_GROUP,
    "Conv2DTranspose": _ONE_GROUP,
    "Conv3DTranspose": _ONE_GROUP,
    # They have a depthwise and a pointwise kernel, and of these keys one each.
    "SeparableConv1D": _ONE_GROUP | _NO_KERNEL,
    "SeparableConv2D": _ONE_GROUP | _NO_KERNEL,
    "SpatialDropout1D": _NO_WEIGHTS,
    "SpatialDropout2D": _NO_WEIGHTS,
    "SpatialDropout3D": _NO_WEIGHTS,
}
"""Keys by class of layer, and the value that each must have to be left out."""

_NEW_NAMES = {
    "BatchNormalizationV1": "BatchNormalization",
    "BatchNormalizationV2": "BatchNormalization",
    # They differ in training only.
    "SyncBatchNormalization": "BatchNormalization",
}

_MODULES = {"Functional": "keras.src.models.functional", "Model": "keras", "Sequential": "keras"}
"""Where Keras 3 has the classes of models."""

_OLD_MODULES = ("keras.src.engine.", "keras.engine.", "tf_keras.", "tensorflow.python.keras.")
"""Where Keras 2 has them; a class of the same name in a user's module is the user's."""

_POLICIES = ("Policy", "PolicyV1")

_CONFIG_ATTRIBUTE = "model_config"
_CONFIG_MEMBER = "config.json"


@contextmanager
def for_keras3(path: Path) -> Iterator[Path]:
    """Lends a file that Keras 3 opens.

    Args:
        path: A ``.keras`` or ``.h5`` file.

    Yields:
        The file itself if it needs no repair or cannot be read; otherwise a repaired copy.

    Raises:
        ModelFileError: Keras 3 would open it and give other answers.
    """
    config, version = _read(path)
    if not version.startswith("3") and _has_hard_sigmoid(config):
        raise ModelFileError(
            f"A full model must give the same answers in Keras 3. Received: {path} of Keras {version or 2} with "
            "the activation hard_sigmoid, which Keras 3 computes differently. Run model.export(FOLDER) where it was "
            "made, and pass that SavedModel."
        )
    repaired = None if config is None else translated(config)
    if repaired == config:
        yield path
        return
    with temporary_folder() as folder:
        copy = folder / path.name
        text = json.dumps(repaired)
        if zipfile.is_zipfile(path):
            _write_zip(path, copy, text)
        else:
            import h5py

            shutil.copyfile(path, copy)
            with h5py.File(copy, "r+") as file:
                file.attrs[_CONFIG_ATTRIBUTE] = text
        yield copy


def translated(config: Any) -> Any:
    """A model's configuration as Keras 3 would write it.

    Args:
        config: The parsed configuration of a model; it is not changed.
    """
    names: set[str] = set()
    _collect_names(config, names)
    plain: dict[str, str] = {}
    for name in sorted(name for name in names if "/" in name):
        # Keras 3 takes no "/", which Keras 2 used for blocks: expanded_conv/depthwise.
        new = name.replace("/", "_")
        while new in names:
            new += "_"
        names.add(new)
        plain[name] = new
    return _repaired(config, plain)


def _repaired(node: Any, names: dict[str, str]) -> Any:
    if isinstance(node, list):
        return [_repaired(entry, names) for entry in node]
    if isinstance(node, str):
        return names.get(node, node)
    if not isinstance(node, dict):
        return node
    found = {key: _repaired(value, names) for key, value in node.items()}
    kind, inner = found.get("class_name"), found.get("config")
    if not isinstance(kind, str) or not isinstance(inner, dict):
        return found
    if kind in _POLICIES and isinstance(inner.get("name"), str):
        return inner["name"]
    module = found.get("module")
    if isinstance(module, str) and kind in _MODULES and module.startswith(_OLD_MODULES):
        found |= {"module": _MODULES[kind], "registered_name": None}
    elif isinstance(module, str) and module.startswith("tf_keras."):
        found["module"] = module.removeprefix("tf_")
    if kind in _NEW_NAMES and module is None:
        # In a .keras file the weights are found by the class's name.
        found["class_name"] = kind = _NEW_NAMES[kind]
    dead = _DEAD_KEYS.get(kind, {})
    found["config"] = {
        key: value for key, value in inner.items() if key not in dead or dead[key] not in (_ANY, value)
    }
    axis = inner.get("axis")
    if kind == "BatchNormalization" and isinstance(axis, list) and len(axis) == 1:
        found["config"]["axis"] = axis[0]
    if kind in _MODULES:
        layers = [layer for layer in found["config"].get("layers", ()) if isinstance(layer, dict)]
        for layer in layers[1:] if layers and layers[0].get("class_name") == "InputLayer" else ():
            # The input layer has it.
            if layer.get("class_name") != "InputLayer" and isinstance(layer.get("config"), dict):
                layer["config"].pop("batch_input_shape", None)
        if kind != "Sequential":
            _rewire(found["config"], layers)
    return found


def _rewire(model: dict[str, Any], layers: list[dict[str, Any]]) -> None:
    """Writes the connections of a functional model as Keras 3 does, in place.

    Keras 2 counts the creation of a nested model as its first call, and writes a single input or
    output as a list. Keras 3 does neither: to it, the list means that the model returns a list.
    """
    calls = [
        entry for layer in layers for node in layer.get("inbound_nodes") or () for entry in _entries(node)
    ]
    if not calls:
        # Keras 3's own, or a model of one layer.
        return
    nested = {layer.get("name"): layer.get("class_name") for layer in layers}
    nested = {name: kind for name, kind in nested.items() if kind in _MODULES}
    ends: list[Any] = [model.get(key) for key in ("input_layers", "output_layers")]
    calls_of = {name: [call for call in calls if call[0] == name] for name in nested}
    for name, kind in nested.items():
        given = [end for end in _entries(ends[1]) if end[0] == name]
        made = all(call[1] >= 1 for call in (*calls_of[name], *given))
        for call in calls_of[name]:
            call[1] -= made
        for end in given:
            # Keras 3 subtracts one by itself, but only here and only for a functional model.
            end[1] += (kind != "Sequential") - made
    for key, end in zip(("input_layers", "output_layers"), ends, strict=True):
        if isinstance(end, list) and len(end) == 1 and len(_entries(end)) == 1:
            model[key] = end[0]


def _entries(node: Any) -> list[list[Any]]:
    """The entries of a list that are ``[layer, call, tensor, ...]``; Keras 3 has mappings there."""
    if not isinstance(node, list):
        return []
    return [
        entry
        for entry in node
        if isinstance(entry, list)
        and len(entry) > 2
        and isinstance(entry[0], str)
        and isinstance(entry[1], int)
    ]


def _collect_names(node: Any, names: set[str]) -> None:
    """Adds the names of all layers to ``names``."""
    if isinstance(node, list):
        for entry in node:
            _collect_names(entry, names)
    elif isinstance(node, dict):
        inner = node.get("config")
        if "class_name" in node and isinstance(inner, dict) and isinstance(inner.get("name"), str):
            names.add(inner["name"])
        for value in node.values():
            _collect_names(value, names)


def _has_hard_sigmoid(node: Any) -> bool:
    if isinstance(node, list):
        return any(map(_has_hard_sigmoid, node))
    if not isinstance(node, dict):
        return False
    for key, value in node.items():
        function = value.get("config") if isinstance(value, dict) else value
        if key.endswith("activation") and function == "hard_sigmoid":
            return True
    return any(map(_has_hard_sigmoid, node.values()))


def _read(path: Path) -> tuple[Any, str]:
    """The configuration in a file and its version of Keras; None and "3" if Keras is to report the damage."""
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                metadata = json.loads(archive.read("metadata.json"))
                return json.loads(archive.read(_CONFIG_MEMBER)), str(metadata["keras_version"])
        import h5py

        with h5py.File(path, "r") as file:
            return json.loads(file.attrs[_CONFIG_ATTRIBUTE]), str(file.attrs.get("keras_version", ""))
    except (OSError, KeyError, ValueError, TypeError, RecursionError, zipfile.BadZipFile, RuntimeError):
        return None, "3"


def _write_zip(path: Path, copy: Path, config: str) -> None:
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(copy, "w") as target:
        for info in source.infolist():
            if info.filename == _CONFIG_MEMBER:
                target.writestr(_CONFIG_MEMBER, config)
                continue
            with source.open(info) as read, target.open(info.filename, "w", force_zip64=True) as written:
                shutil.copyfileobj(read, written, 1 << 20)
