"""A model file that is overwritten in place while a service runs on it.

An interpreter that maps the file is ended by SIGBUS when it reads what is no longer there, so each
service is a process of its own.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edge_runtime.updates import LiveClassifier, pull

ROOT = Path(__file__).resolve().parents[4]
MakeBundle = Callable[[str], Path]

SERVICE = """
import os, sys
from edge_runtime.updates import LiveClassifier

folder, image = sys.argv[1:]
with LiveClassifier(folder, every_s=0.02) as live:
    before = live.classify(image)
    model = os.path.join(folder, live.artifact.file)
    size = os.path.getsize(model)
    with open(model, "wb") as file:
        for content in (b"", os.urandom(size // 2), os.urandom(size - size // 2)):
            file.write(content)
            file.flush()
            assert live.classify(image) == before
            # The second interpreter of them is made now.
            assert list(live.classify_many([image] * 4, workers=2)) == [before] * 4
print("survived")
"""


def read_while_it_runs(data: bytes) -> bytes:
    """Adds nothing to the scores, from the file: LiteRT copies weights of layers, and no operands of a sum."""
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromPackedBuf(data, 0)
    graph = model.subgraphs[0]
    scores = graph.outputs[0]
    zero = schema.BufferT()
    zero.data = np.zeros(10, dtype="<f4").view(np.uint8)
    model.buffers.append(zero)
    add = schema.OperatorCodeT()
    add.builtinCode = add.deprecatedBuiltinCode = schema.BuiltinOperator.ADD
    add.version = 1
    model.operatorCodes.append(add)
    for name, buffer in ((b"zero", len(model.buffers) - 1), (b"sum", 0)):
        tensor = schema.TensorT()
        tensor.name, tensor.buffer, tensor.shape = name, buffer, [1, 10]
        tensor.type = schema.TensorType.FLOAT32
        graph.tensors.append(tensor)
    step = schema.OperatorT()
    step.opcodeIndex = len(model.operatorCodes) - 1
    step.inputs, step.outputs = [scores, len(graph.tensors) - 2], [len(graph.tensors) - 1]
    step.builtinOptionsType, step.builtinOptions = schema.BuiltinOptions.AddOptions, schema.AddOptionsT()
    graph.operators.append(step)
    graph.outputs = step.outputs
    builder = flatbuffers.Builder(len(data))
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


@pytest.fixture
def bundle(make_bundle: MakeBundle) -> Path:
    """A bundle whose model file is read again by each answer."""
    folder = make_bundle("one")
    file = folder / "digits_int8.tflite"
    model = read_while_it_runs(file.read_bytes())
    file.write_bytes(model)
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["artifacts"][0] |= {"bytes": len(model), "sha256": hashlib.sha256(model).hexdigest()}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


def test_service_survives_its_model_file_overwritten_in_place(bundle: Path, digits_bundle: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SERVICE, bundle, digits_bundle / "golden" / "0.png"],
        cwd=ROOT, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, "survived\n"), done.stderr


def test_versions_of_pull_are_mapped_and_other_folders_are_read(bundle: Path, tmp_path: Path) -> None:
    home = tmp_path / "models"
    pull(str(bundle), home)
    for place in (home, home / "current"):
        with LiveClassifier(place, every_s=float("inf")) as live:
            assert isinstance(live.bundle.model(live.artifact), Path)
    with LiveClassifier(bundle, every_s=float("inf")) as live:
        model = live.bundle.model(live.artifact)
        assert isinstance(model, bytes)
        assert hashlib.sha256(model).hexdigest() == live.artifact.sha256
