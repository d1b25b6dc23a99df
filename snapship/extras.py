"""The installed version, which package belongs to which extra, and the pip command that installs it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.util import find_spec

UNKNOWN = "0+unknown"
"""The version in a checkout that is not installed."""

_MODULES = {"Pillow": "PIL", "scikit-learn": "sklearn", "opencv-python-headless": "cv2"}
"""Modules that are not named like their distribution."""

NEEDED_BY: dict[str, tuple[str, ...]] = {
    "": ("predict", "selftest", "info", "bench", "data", "pull", "phone"),
    "train": ("train", "evaluate", "demo", "run"),
    "train-jax": ("train", "evaluate"),
    "train-torch": ("train", "evaluate"),
    "export": ("export", "check", "demo", "run"),
    "coreml": ("export",),
    "serverless": ("serve", "package", "cost", "deploy"),
    "deploy": ("deploy", "status", "invoke", "logs", "rollback", "destroy"),
    "onnx": ("predict", "selftest"),
    "fast": ("predict",),
    "parquet": ("predict", "score"),
    "camera": ("predict",),
    "sign": ("sign", "pull"),
    "s3": ("pull",),
    "phone": ("phone",),
    "ray": ("score", "check", "train"),
}
"""Extras, and the commands that need each; the empty name is the base install."""

OPTIONAL = {
    "train-jax": "on JAX, without TensorFlow",
    "train-torch": "on PyTorch, without TensorFlow",
    "coreml": "writes Core ML packages",
    "onnx": "runs .onnx artifacts",
    "fast": "faster JPEG decoding",
    "parquet": "writes results as Parquet",
    "camera": "classifies camera images",
    "sign": "signs bundles and checks signatures",
    "s3": "fetches bundles from S3",
    "phone": "QR code for --serve, signed APKs",
    "ray": "runs on a Ray cluster",
}
"""What an extra adds to commands that also run without it."""

_NEWEST_OF_TENSORFLOW = (3, 13)
"""The newest Python that final releases of TensorFlow support (2.21)."""


@dataclass(frozen=True)
class Package:
    """A package that snapship needs.

    Attributes:
        name: The distribution, as pip knows it.
        module: The module to import.
    """

    name: str
    module: str

    @property
    def installed(self) -> bool:
        """Whether it is installed; nothing is imported."""
        return find_spec(self.module) is not None


def version() -> str:
    """Returns the installed version, or :data:`UNKNOWN`."""
    # At use: it costs a third of what --help takes.
    from importlib import metadata

    try:
        return metadata.version("snapship")
    except metadata.PackageNotFoundError:
        return UNKNOWN


def packages() -> dict[str, tuple[Package, ...]]:
    """Packages by extra, in the order of :data:`NEEDED_BY`; empty in a checkout that is not installed."""
    from importlib import metadata

    found: dict[str, list[Package]] = {extra: [] for extra in NEEDED_BY}
    try:
        requirements = metadata.requires("snapship") or []
    except metadata.PackageNotFoundError:
        requirements = []
    for requirement in requirements:
        name = re.split(r"[^\w.-]", requirement)[0]
        marker = re.search(r"extra == [\"']([\w-]+)", requirement)
        extra = marker[1] if marker else ""
        # Not dev, and not all, which only names other extras.
        if extra in found:
            found[extra].append(Package(name, _MODULES.get(name, name.replace("-", "_"))))
    return {extra: tuple(entries) for extra, entries in found.items()}


def missing_package(module: str, command: str) -> tuple[Package, str] | None:
    """Finds the package, and its extra, of a module that could not be imported.

    Args:
        module: The module's dotted name.
        command: The command that imported it; its own extras are preferred.

    Returns:
        The package and the extra; None when no extra has the module, or it is installed.
    """
    root = module.partition(".")[0]
    found = packages()
    for extra in sorted(found, key=lambda extra: (extra != "", command not in NEEDED_BY[extra])):
        for package in found[extra]:
            if package.module == root and not package.installed:
                return package, extra
    return None


def cure(extra: str) -> str:
    """The pip command that installs an extra; the empty name is the base install."""
    return f"pip install 'snapship[{extra}]'" if extra else "pip install snapship"


def python_notes(missing: Iterable[str], python: tuple[int, int]) -> tuple[str, ...]:
    """What pip does not say about packages that are missing on a newer Python.

    Args:
        missing: The packages that are not installed.
        python: This Python's version.
    """
    if "tensorflow" not in missing or python <= _NEWEST_OF_TENSORFLOW:
        return ()
    shown, known = (".".join(map(str, version)) for version in (python, _NEWEST_OF_TENSORFLOW))
    return (
        f"TensorFlow's final releases are built for Python 3.11 to {known}, as of 2.21. On Python {shown} pip takes a "
        "release candidate of 2.22, which depends on keras-nightly, or finds nothing: to train and export, use "
        f"Python {known}. The device runtime, serverless and deploy need no TensorFlow.",
    )
