"""Device runtime: the contract (preprocessing, bundle, labels) and inference.

Stands alone on a device: needs numpy, Pillow, msgspec and one interpreter, and
imports no other part of snapship.
"""

from typing import TYPE_CHECKING, Any

# First, while few calls are open: CPython 3.11 keeps its frames in blocks of 16 KB, and below a
# dozen nested imports a package's own calls cross the end of one thousands of times (30 ms in all).
import msgspec as _msgspec  # noqa: F401
import numpy as _numpy  # noqa: F401
from PIL import Image as _Image  # noqa: F401

from edge_runtime.bundle.bundle import Bundle
from edge_runtime.classifier import Classifier
from edge_runtime.common.errors import SnapshipError
from edge_runtime.engines.result import Prediction, Result
from edge_runtime.image.input_spec import InputSpec
from edge_runtime.image.preprocess import pixels

if TYPE_CHECKING:
    from edge_runtime.golden import SelfTest, selftest
    from edge_runtime.options import ResultOptions

_LATER = {"SelfTest": "golden", "selftest": "golden", "ResultOptions": "options"}
"""Names that a first answer does without, and their modules."""

__all__ = [
    "Bundle",
    "Classifier",
    "InputSpec",
    "Prediction",
    "Result",
    "ResultOptions",
    "SelfTest",
    "SnapshipError",
    "pixels",
    "selftest",
]


def __getattr__(name: str) -> Any:
    """Loads what is needed later at its first use."""
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    globals()[name] = getattr(import_module(f"edge_runtime.{_LATER[name]}"), name)
    return globals()[name]
