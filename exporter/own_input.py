"""The pixels that a model of our own takes: those of its run, or of the bundle that it lies in."""

from __future__ import annotations

from pathlib import Path

from edge_runtime.bundle import Bundle
from edge_runtime.errors import ModelFileError, SnapshipError, UsageError
from edge_runtime.manifest import MANIFEST_FILE
from edge_runtime.spec import Fit, InputSpec, Resize
from trainer.run import is_run, read_run


def own_input(path: Path) -> tuple[str, InputSpec] | None:
    """What a run folder, or a file in a bundle's folder, says of its pixels.

    Args:
        path: A run folder, a model file, or a SavedModel's folder.

    Returns:
        What says it, and the input; None for a model of anybody's.

    Raises:
        SnapshipError: The run's record or the bundle's manifest is damaged.
    """
    if is_run(path):
        return "A run folder", read_run(path).input
    folder = path.parent
    for place in (folder, folder.parent):
        # The folder of a SavedModel lies in the bundle; its .pb file, one below.
        if (place / MANIFEST_FILE).is_file():
            try:
                manifest = Bundle.open(place).manifest
            except SnapshipError:
                # Some other tool's manifest.json: this name is everybody's.
                continue
            files = {(place / entry.file).resolve() for entry in manifest.artifacts}
            if files & {path.resolve(), (path / "saved_model.pb").resolve()}:
                return "A bundle's file", manifest.input
    return None


def refuse_given(what: str, path: Path, **given: object) -> None:
    """Refuses options for what a model of our own brings itself.

    Args:
        what: What it is, as :func:`own_input` says it.
        path: Where.
        given: Options by name; None where the user said nothing.

    Raises:
        UsageError: One was given.
    """
    for option, value in given.items():
        if value is not None:
            raise UsageError(
                f"{what} brings its own {option}. Received: {path} and --{option} {value}. Leave --{option} out."
            )


def pixels_of(
    reference: Path, candidate: Path, fit: Fit | None, resize: Resize | None
) -> tuple[Fit, Resize, bool]:
    """How images become the pixels of two models.

    Args:
        reference: The full model.
        candidate: The one that is judged.
        fit: What the user asks for.
        resize: As ``fit``.

    Returns:
        The fit, the resize, and whether one of the models says so itself.

    Raises:
        UsageError: The user asks for what a model of our own brings.
        ModelFileError: Both are our own, and take other pixels.
    """
    found = {path: own for path in (reference, candidate) if (own := own_input(path)) is not None}
    for path, (what, _) in found.items():
        refuse_given(what, path, fit=fit, resize=resize)
    taken = {path: (spec.fit, spec.resize) for path, (_, spec) in found.items()}
    if len(set(taken.values())) > 1:
        shown = ", ".join(f"{path} takes {' and '.join(pair)}" for path, pair in taken.items())
        raise ModelFileError(
            f"Two models must take the same images. Received: {shown}. Compare files of the same model."
        )
    for pair in taken.values():
        return *pair, True
    return fit or "stretch", resize or "antialiased", False
