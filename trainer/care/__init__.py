"""Data checks before training: leaks, copies, conflicting labels, odd files and classes."""

from trainer.care.before import data_warnings
from trainer.care.check import check_data
from trainer.care.duplicates import ImagePair, Picture
from trainer.care.report import ClassCount, DataReport, Finding
from trainer.care.sizes import OddSize, Sizes

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
