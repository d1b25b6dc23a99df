"""Which backend Keras is to run on, for the trainer and for ``snapship doctor`` alike."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from edge_runtime.common.errors import UsageError
from edge_runtime.common.versions import BACKENDS, keras_backend
from snapship.extras import packages
from trainer.core import backend

CHOICES = [
    # KERAS_BACKEND, keras.json, not installed -> what is chosen
    ("jax", "torch", (), "jax"),
    ("tensorflow", "torch", (), "tensorflow"),
    ("torch", None, ("torch",), "torch"),
    ("", "jax", (), "jax"),
    (None, "torch", (), "torch"),
    (None, "theano", (), "tensorflow"),
    (None, "tensorflow", (), "tensorflow"),
    (None, "tensorflow", ("tensorflow",), "jax"),
    (None, None, ("tensorflow", "jax", "torch"), "tensorflow"),
]


@pytest.mark.parametrize(("named", "stored", "absent", "expected"), CHOICES)
def test_backend_is_the_named_one_then_the_stored_one_then_what_is_installed(
    named: str | None,
    stored: str | None,
    absent: tuple[str, ...],
    expected: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    if named is not None:
        monkeypatch.setenv("KERAS_BACKEND", named)
    if stored is not None:
        (tmp_path / "keras.json").write_text(json.dumps({"backend": stored}))
    # Any package can stand for an installed one; None in its place is how Python says "not there".
    for name in BACKENDS:
        monkeypatch.setitem(sys.modules, name, None if name in absent else sys.modules["json"])  # type: ignore[arg-type]
    assert backend.chosen_backend() == expected
    told = keras_backend()
    assert (told.name, told.installed) == (expected, expected not in absent)


@pytest.mark.parametrize("content", ["", "[]", "\xff", '{"backend": 3}'])
def test_damaged_keras_json_says_nothing(
    content: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    (tmp_path / "keras.json").write_bytes(content.encode("latin-1"))
    assert backend.chosen_backend() == keras_backend().name == "tensorflow"


def test_unknown_backend_is_refused_and_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KERAS_BACKEND", "theano")
    with pytest.raises(UsageError, match=r"tensorflow, jax or torch\. Received: 'theano'"):
        backend.chosen_backend()
    told = keras_backend()
    assert (told.name, told.reason, told.installed, told.extra) == ("theano", "KERAS_BACKEND", False, "")


def test_every_backend_has_an_extra_that_brings_it() -> None:
    for name, extra in BACKENDS.items():
        names = {package.name for package in packages()[extra]}
        assert {"keras", name} <= names
        assert not names & set(BACKENDS) - {name}
