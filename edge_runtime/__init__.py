"""Device runtime: the contract (preprocessing, bundle, labels) and inference.

Stands alone on a device: needs numpy, Pillow, msgspec and one interpreter, and
imports no other part of snapship.
"""

from edge_runtime.bundle import Bundle
from edge_runtime.classifier import Classifier
from edge_runtime.errors import SnapshipError
from edge_runtime.golden import SelfTest, selftest
from edge_runtime.options import ResultOptions
from edge_runtime.preprocess import pixels
from edge_runtime.result import Prediction, Result
from edge_runtime.spec import InputSpec

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
