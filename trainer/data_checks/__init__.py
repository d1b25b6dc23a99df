"""Data checks before training: leaks, copies, conflicting labels, odd files and classes."""

from trainer.data_checks.check import check_data, data_warnings
from trainer.data_checks.duplicates import ImagePair, Picture
from trainer.data_checks.report import ClassCount, DataReport, Finding
from trainer.data_checks.sizes import OddSize, Sizes

__all__ = [
    "ClassCount",
    "DataReport",
    "Finding",
    "ImagePair",
    "OddSize",
    "Picture",
    "Sizes",
    "check_data",
    "data_warnings",
]
