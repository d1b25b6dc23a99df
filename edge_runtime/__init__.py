"""Device runtime: the contract (preprocessing, bundle, labels) and inference.

Stands alone on a device: needs numpy, Pillow, msgspec and one interpreter, and
imports no other part of snapship.
"""

from typing import TYPE_CHECKING, Any

# First, while few calls are open: CPython 3.11 keeps its frames in blocks of 16 KB, and below a
# dozen nested imports NumPy's own calls cross the end of one block thousands of times (25 ms).
import numpy as _numpy  # noqa: F401

from edge_runtime.bundle import Bundle
from edge_runtime.classifier import Classifier
from edge_runtime.errors import SnapshipError
from edge_runtime.options import ResultOptions
from edge_runtime.preprocess import pixels
from edge_runtime.result import Prediction, Result
from edge_runtime.spec import InputSpec

if TYPE_CHECKING:
    from edge_runtime.golden import SelfTest, selftest

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
    """Loads the replay of golden examples at its first use; a device that classifies does without."""
    if name not in ("SelfTest", "selftest"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from edge_runtime import golden

    globals()[name] = getattr(golden, name)
    return globals()[name]
