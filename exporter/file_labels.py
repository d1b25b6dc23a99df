"""Class names stored in model files: ONNX's ``metadata_props``, TFLite's metadata."""

from __future__ import annotations

from pathlib import Path

from edge_runtime.dataset import ImageSet, distinct_labels
from edge_runtime.errors import UsageError
from edge_runtime.labels import settled
from exporter.loaded_model import LoadedModel


def labels_of_files(
    reference: LoadedModel, candidate: LoadedModel, images: ImageSet
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The labels of two models of the same classes, from the metadata of their files.

    Args:
        reference: The full model.
        candidate: The model to judge.
        images: The data; labels that do not include its classes are ignored.

    Returns:
        Labels in the order of the outputs, empty if neither file names the data's classes; and
        notes for people.

    Raises:
        UsageError: The two files name the classes in different orders.
    """
    used = {images.labels[item.label] for item in images.items}
    found: dict[Path, tuple[str, ...]] = {}
    notes = []
    for model in {reference.path: reference, candidate.path: candidate}.values():
        labels = distinct_labels([settled(label) for label in model.labels])
        if len(labels) == model.classes and used <= set(labels):
            found[model.path] = labels
        elif labels:
            notes.append(f"the labels in {model.path.name} are not used: they are not the data's class names")
    if len(set(found.values())) > 1:
        (one, first), (two, second) = found.items()
        place = next(
            index for index, pair in enumerate(zip(first, second, strict=True)) if len(set(pair)) > 1
        )
        raise UsageError(
            "Two models must have the same classes in the same order. Received: output "
            f"{place} is {first[place]!r} in {one} and {second[place]!r} in {two}. Pass --labels FILE if the "
            "names in one of them are wrong."
        )
    for path, labels in found.items():
        return labels, (*notes, f"the class names are those in {path.name}")
    return (), tuple(notes)
