"""Care for the data before training: copies, leaks, labels that disagree, odd files and classes."""

from trainer.care.before import care_before_training
from trainer.care.check import check_data
from trainer.care.duplicates import Pair, Picture
from trainer.care.report import ClassCount, DataReport, Finding
from trainer.care.sizes import OddSize, Sizes

__all__ = [
    "ClassCount",
    "DataReport",
    "Finding",
    "OddSize",
    "Pair",
    "Picture",
    "Sizes",
    "care_before_training",
    "check_data",
]
