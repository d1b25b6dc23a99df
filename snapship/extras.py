"""Which package belongs to which extra; a test holds this against ``pyproject.toml``."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from importlib.util import find_spec


@dataclass(frozen=True)
class Package:
    """A package that snapship needs.

    Attributes:
        name: The distribution, as pip knows it.
        module: What is imported.
    """

    name: str
    module: str

    @property
    def installed(self) -> bool:
        """Whether it is there; nothing is imported."""
        return find_spec(self.module) is not None


_KERAS = Package("keras", "keras")
_TENSORFLOW = Package("tensorflow", "tensorflow")
_ONNXRUNTIME = Package("onnxruntime", "onnxruntime")
_TENSORBOARD = Package("tensorboardX", "tensorboardX")
_REPORTS = (
    Package("scikit-learn", "sklearn"),
    Package("matplotlib", "matplotlib"),
    Package("jinja2", "jinja2"),
)

PACKAGES: dict[str, tuple[Package, ...]] = {
    "": (
        Package("numpy", "numpy"),
        Package("Pillow", "PIL"),
        Package("msgspec", "msgspec"),
        Package("click", "click"),
        Package("rich", "rich"),
        Package("ai-edge-litert", "ai_edge_litert"),
    ),
    "train": (_KERAS, _TENSORFLOW, *_REPORTS, _TENSORBOARD),
    "train-jax": (_KERAS, Package("jax", "jax"), *_REPORTS, _TENSORBOARD),
    "train-torch": (_KERAS, Package("torch", "torch"), *_REPORTS, _TENSORBOARD),
    "export": (
        _KERAS,
        _TENSORFLOW,
        Package("tf2onnx", "tf2onnx"),
        Package("onnx", "onnx"),
        _ONNXRUNTIME,
        *_REPORTS,
        Package("scipy", "scipy"),
    ),
    "coreml": (Package("coremltools", "coremltools"),),
    "serverless": (
        Package("starlette", "starlette"),
        Package("mangum", "mangum"),
        Package("uvicorn", "uvicorn"),
        Package("python-multipart", "python_multipart"),
    ),
    "deploy": (Package("boto3", "boto3"),),
    "onnx": (_ONNXRUNTIME,),
    "fast": (Package("simplejpeg", "simplejpeg"),),
    "parquet": (Package("pyarrow", "pyarrow"),),
    "camera": (Package("opencv-python-headless", "cv2"),),
    "sign": (Package("cryptography", "cryptography"),),
    "s3": (Package("boto3", "boto3"),),
}
"""Packages by extra; the empty name is the base install."""

NEEDED_BY: dict[str, tuple[str, ...]] = {
    "": ("predict", "selftest", "info", "bench", "data", "pull"),
    "train": ("train", "evaluate", "demo", "run"),
    "train-jax": ("train", "evaluate"),
    "train-torch": ("train", "evaluate"),
    "export": ("export", "check", "demo", "run"),
    "coreml": ("export",),
    "serverless": ("serve", "package", "cost", "deploy"),
    "deploy": ("deploy", "status", "invoke", "logs", "rollback", "destroy"),
    "onnx": ("predict", "selftest"),
    "fast": ("predict",),
    "parquet": ("predict",),
    "camera": ("predict",),
    "sign": ("sign", "pull"),
    "s3": ("pull",),
}
"""Commands that need an extra."""

OPTIONAL = {
    "train-jax": "on JAX, without TensorFlow",
    "train-torch": "on PyTorch, without TensorFlow",
    "coreml": "writes Core ML packages",
    "onnx": "runs .onnx artifacts",
    "fast": "faster JPEG decoding",
    "parquet": "writes answers as Parquet",
    "camera": "classifies what a camera sees",
    "sign": "signs bundles and checks signatures",
    "s3": "fetches bundles from S3",
}
"""Extras that add something to commands that run without them, and what."""


_NEWEST_OF_TENSORFLOW = (3, 13)
"""The newest Python that final releases of TensorFlow are built for (2.21)."""


def python_notes(missing: Iterable[str], python: tuple[int, int]) -> tuple[str, ...]:
    """What pip will not say of packages that are missing on a newer Python.

    Args:
        missing: The packages that are not installed.
        python: This Python's version.
    """
    if "tensorflow" not in missing or python <= _NEWEST_OF_TENSORFLOW:
        return ()
    shown, known = (".".join(map(str, version)) for version in (python, _NEWEST_OF_TENSORFLOW))
    return (
        f"TensorFlow's final releases are built for Python 3.11 to {known}, as of 2.21. On Python {shown} pip takes a "
        "release candidate of 2.22, which depends on keras-nightly, or finds none: to train and export, use "
        f"Python {known}. The device runtime, serverless and deploy need no TensorFlow.",
    )


def cure(extra: str) -> str:
    """The pip command that installs an extra; the empty name is the base install."""
    return f"pip install 'snapship[{extra}]'" if extra else "pip install snapship"


def missing_package(module: str, command: str) -> tuple[Package, str] | None:
    """Finds which package, of which extra, brings a module that could not be imported.

    Args:
        module: The module's dotted name.
        command: The command that wanted it: an extra that it needs is preferred.

    Returns:
        The package and the extra; None when the module is not one of an extra, or is there.
    """
    root = module.partition(".")[0]
    wanted = sorted(PACKAGES, key=lambda extra: (extra != "", command not in NEEDED_BY[extra]))
    for extra in wanted:
        for package in PACKAGES[extra]:
            if package.module == root and not package.installed:
                return package, extra
    return None
