"""Which Keras backend training would run on, told without importing it.

The rule is that of ``trainer.backend.chosen_backend``, written again because ``snapship doctor``
imports no house; a test holds the two together.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

EXTRAS = {"tensorflow": "train", "jax": "train-jax", "torch": "train-torch"}
"""Backends in the order in which they are preferred, and the extra that brings each."""


@dataclass(frozen=True)
class KerasBackend:
    """A backend and why it is the one.

    Attributes:
        name: ``tensorflow``, ``jax``, ``torch``, or what the user wrote instead.
        reason: ``KERAS_BACKEND``, ``keras.json`` or ``default``.
        installed: Whether it is there.
    """

    name: str
    reason: str
    installed: bool

    @property
    def extra(self) -> str:
        """The extra that brings it, empty when there is no such backend."""
        return EXTRAS.get(self.name, "")


def keras_backend() -> KerasBackend:
    """Looks at ``KERAS_BACKEND``, then ``keras.json``, then at what is installed."""
    named, stored = os.environ.get("KERAS_BACKEND", ""), _stored()
    if named:
        return _found(named, "KERAS_BACKEND")
    if stored in EXTRAS and stored != "tensorflow":
        return _found(stored, "keras.json")
    installed = (name for name in EXTRAS if find_spec(name) is not None)
    return _found(next(installed, "tensorflow"), "default")


def _found(name: str, reason: str) -> KerasBackend:
    return KerasBackend(name, reason, name in EXTRAS and find_spec(name) is not None)


def _stored() -> str:
    """What ``keras.json`` names, empty for nothing."""
    home = os.environ.get("KERAS_HOME") or os.path.join(os.path.expanduser("~"), ".keras")
    try:
        stored = json.loads((Path(home) / "keras.json").read_text("utf-8"))
    except (OSError, ValueError):
        return ""
    return str(stored.get("backend", "")) if isinstance(stored, dict) else ""
