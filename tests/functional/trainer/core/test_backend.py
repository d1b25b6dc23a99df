"""Keras on a backend that is missing or broken: one line and its cure, in a fresh process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[4]


def loading(chosen: str | None, absent: tuple[str, ...], broken: str = "") -> str:
    """What a fresh process says that loads Keras where some packages are not installed."""
    code = f"""
import sys
for name in {absent!r}:
    sys.modules[name] = None
if {broken!r}:
    class Broken:
        def find_spec(self, name, path=None, target=None):
            if name == {broken!r}:
                raise ImportError("the library of {broken} is of another version")
    sys.meta_path.insert(0, Broken())
from edge_runtime.common.errors import SnapshipError
from trainer.core.backend import load_keras
try:
    print(load_keras().backend.backend())
except SnapshipError as error:
    print(error.exit_code, error)
"""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    environment.pop("KERAS_BACKEND", None)
    if chosen is not None:
        environment["KERAS_BACKEND"] = chosen
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize(
    ("chosen", "absent", "cure"),
    [
        ("jax", ("jax",), "Run: pip install 'snapship[train-jax]', or set KERAS_BACKEND=tensorflow"),
        ("torch", ("torch", "tensorflow", "jax"), "Run: pip install 'snapship[train-torch]'"),
        (None, ("torch", "tensorflow", "jax"), "Run: pip install 'snapship[train]'"),
    ],
)
def test_backend_that_is_not_installed_is_one_line_with_its_extra(
    chosen: str | None, absent: tuple[str, ...], cure: str
) -> None:
    named = chosen or "tensorflow"
    expected = f"4 The Keras backend must be installed. Received: {named}, which is not installed. {cure}"
    assert loading(chosen, absent) == expected


def test_missing_keras_is_told_with_the_backend_s_extra() -> None:
    assert loading("torch", ("keras",)).endswith("Run: pip install 'snapship[train-torch]'")


def test_backend_that_does_not_load_is_told_with_the_reason() -> None:
    pytest.importorskip("jax")
    line = loading("jax", (), broken="jaxlib")
    assert line.startswith("4 Keras must load on jax. Received: ")
    assert "Traceback" not in line


def test_unknown_backend_is_refused_before_keras_is_loaded() -> None:
    line = loading("theano", ("keras",))
    assert line.startswith("2 KERAS_BACKEND must be tensorflow, jax or torch. Received: 'theano'")


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
@pytest.mark.parametrize("module", ["trainer.core.backend", "exporter.common.backend"])
def test_tensorflow_has_the_same_kernels_whoever_loads_it_first(
    module: str, machine: str, tmp_path: Path
) -> None:
    # Stands for Keras, which imports TensorFlow, and says what TensorFlow would read.
    (tmp_path / "tensorflow.py").write_text("import os; print(os.environ.get('TF_ENABLE_ONEDNN_OPTS'))")
    (tmp_path / "keras.py").write_text(
        "import tensorflow\nclass backend:\n    backend = staticmethod(lambda: 'tensorflow')\n"
    )
    code = f"""
import platform
platform.machine = lambda: {machine!r}
from {module} import load_keras
load_keras()
"""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT)])}
    for given in (None, "0"):
        environment.pop("TF_ENABLE_ONEDNN_OPTS", None)
        if given is not None:
            environment["TF_ENABLE_ONEDNN_OPTS"] = given
        done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
        assert done.stdout.strip() == (given or ("1" if machine == "x86_64" else "None")), done.stderr


def test_where_tensorflow_is_not_installed_another_backend_is_taken() -> None:
    pytest.importorskip("jax")
    assert loading(None, ("tensorflow",)) == "jax"
