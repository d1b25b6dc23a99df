"""The options that affect how a full model is used, by where it comes from."""

from __future__ import annotations

from pathlib import Path

from edge_runtime.spec import InputSpec
from exporter.external import look_at, prepared, scorer_of
from exporter.input_range import InputRange
from exporter.loaded_model import LoadedModel
from exporter.scoring import full_scorer
from exporter.source import Source, load_source
from exporter.weak_reference import ReferenceUse

_RUN_CURES = "Pass --data with images like those it was trained on, train it longer"


def use_of_run(run: Path) -> ReferenceUse:
    """A run's model, which has its labels and takes raw pixels.

    Args:
        run: The run folder.
    """
    return ReferenceUse(str(run), _RUN_CURES)


def use_of_source(source: Source, input_range: InputRange, *, open_order: bool) -> ReferenceUse:
    """The source of an export.

    Args:
        source: The source.
        input_range: The pixel range it expects.
        open_order: Whether the order of its classes must be found.
    """
    if source.run is not None:
        return use_of_run(source.run)
    return ReferenceUse(
        source.file.name,
        "Pass --labels or --input-range as the model was trained",
        open_order=open_order,
        labels_option="--labels",
        range_option="--input-range",
        input_range=input_range,
        scorer=lambda name: full_scorer(load_source(source, name)),
        resize_cure=None if source.brings_pixels else "Pass",
    )


def use_of_bundle(source: Source, input_range: InputRange) -> ReferenceUse:
    """The full model of a bundle: its labels and range were settled by the export.

    Args:
        source: The full model.
        input_range: The pixel range it expects.
    """
    if source.run is not None:
        return use_of_run(source.run)
    return ReferenceUse(
        source.file.name,
        "Export it again with --labels or --input-range as the model was trained, pass other --data",
        labels_option="--labels",
        range_option="--input-range",
        input_range=input_range,
        scorer=lambda name: full_scorer(load_source(source, name)),
        resize_cure="Export it again with",
    )


def use_of_file(model: LoadedModel, spec: InputSpec, open_order: bool, *, own: bool = False) -> ReferenceUse:
    """Any model file as the reference of a check.

    Args:
        model: The file.
        spec: The pixels that it is given.
        open_order: Whether the order of its classes must be found.
        own: Whether one of the two models is our own and defines its preprocessing.
    """
    return ReferenceUse(
        model.path.name,
        "Pass --labels, --input-range or --reference-range as the model was trained",
        open_order=open_order,
        labels_option="--labels",
        # --input-range applies to the candidate too.
        range_option="--reference-range",
        input_range=model.input_range,
        scorer=lambda name: scorer_of(prepared(look_at(model.path, name), spec)),
        resize_cure=None if own else "Pass",
    )
