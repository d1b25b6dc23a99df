"""What is installed: versions of packages, and the Keras backend that training would run on.

Imports none of them. The backend is chosen here, and not in the trainer, because ``snapship doctor``
shows it and loads no training code.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import msgspec

OWN_NAME = "snapship"

BACKENDS = {"tensorflow": "train", "jax": "train-jax", "torch": "train-torch"}
"""Keras backends in order of preference, and the extra of snapship that installs each."""


def version_of(package: str) -> str | None:
    """The version of an installed package, None when it is not installed."""
    # Here, as it takes 20 ms and predict does without it.
    from importlib import metadata

    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def versions_of(packages: Iterable[str]) -> dict[str, str]:
    """The versions of those packages that are installed, by name."""
    found = {package: version_of(package) for package in packages}
    return {package: version for package, version in found.items() if version is not None}


@cache
def own_version() -> str:
    """The version of snapship; ``0+unknown`` where it runs from a checkout that is not installed."""
    return version_of(OWN_NAME) or "0+unknown"


class KerasBackend(msgspec.Struct, frozen=True):
    """A backend and why it was chosen.

    Attributes:
        name: ``tensorflow``, ``jax``, ``torch``, or whatever ``KERAS_BACKEND`` names.
        reason: ``KERAS_BACKEND``, ``keras.json`` or ``default``.
        installed: Whether it is installed.
    """

    name: str
    reason: str
    installed: bool

    @property
    def extra(self) -> str:
        """The extra that installs it; empty for an unknown backend."""
        return BACKENDS.get(self.name, "")


def keras_backend() -> KerasBackend:
    """Chooses by ``KERAS_BACKEND``, then ``keras.json``, then by what is installed.

    Keras itself writes "tensorflow" into ``keras.json``, so that name there means nothing.
    """
    named, stored = os.environ.get("KERAS_BACKEND", ""), _stored()
    if named:
        return _chosen(named, "KERAS_BACKEND")
    if stored in BACKENDS and stored != "tensorflow":
        return _chosen(stored, "keras.json")
    installed = (name for name in BACKENDS if find_spec(name) is not None)
    return _chosen(next(installed, "tensorflow"), "default")


def _chosen(name: str, reason: str) -> KerasBackend:
    return KerasBackend(name, reason, name in BACKENDS and find_spec(name) is not None)


def _stored() -> str:
    """The backend in ``keras.json``, in the folder where Keras looks for it; empty for none."""
    home = os.environ.get("KERAS_HOME") or os.path.join(os.path.expanduser("~"), ".keras")
    try:
        stored = json.loads((Path(home) / "keras.json").read_text("utf-8"))
    except (OSError, ValueError):
        return ""
    return str(stored.get("backend", "")) if isinstance(stored, dict) else ""
