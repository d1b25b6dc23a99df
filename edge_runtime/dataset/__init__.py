"""Labelled image sets: every form of DATA, opened the same way by training, calibration and check."""

from edge_runtime.dataset.arrays import ARRAY_NAMES, array_file
from edge_runtime.dataset.imageset import ImageSet, Item, Split, class_order, distinct_labels
from edge_runtime.dataset.labelled_files import decode_all
from edge_runtime.dataset.opening import FORMS, open_dataset

__all__ = [
    "ARRAY_NAMES",
    "FORMS",
    "ImageSet",
    "Item",
    "Split",
    "array_file",
    "class_order",
    "decode_all",
    "distinct_labels",
    "open_dataset",
]
