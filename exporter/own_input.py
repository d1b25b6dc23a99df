"""The preprocessing of our own models: that of their run, or of the bundle they are in."""

from __future__ import annotations

from pathlib import Path

from edge_runtime.bundle import Bundle
from edge_runtime.errors import ModelFileError, SnapshipError, UsageError
from edge_runtime.manifest import MANIFEST_FILE
from edge_runtime.spec import Fit, InputSpec, Resize
from trainer.run import is_run, read_run


def own_input(path: Path) -> tuple[str, InputSpec] | None:
    """The input that a run folder, or a file in a bundle's folder, defines.

    Args:
        path: A run folder, a model file, or a SavedModel's folder.

    Returns:
        What defines it, and the input; None for any other model.

    Raises:
        SnapshipError: The run's record or the bundle's manifest is damaged.
    """
    if is_run(path):
        return "A run folder", read_run(path).input
    folder = path.parent
    for place in (folder, folder.parent):
        # A SavedModel's folder is in the bundle; its .pb file is one level below.
        if (place / MANIFEST_FILE).is_file():
            try:
                manifest = Bundle.open(place).manifest
            except SnapshipError:
                # Another tool's manifest.json.
                continue
            files = {(place / entry.file).resolve() for entry in manifest.artifacts}
            if files & {path.resolve(), (path / "saved_model.pb").resolve()}:
                return "A bundle's file", manifest.input
    return None


def refuse_given(what: str, path: Path, **given: object) -> None:
    """Refuses options that one of our own models defines itself.

    Args:
        what: What defines them, as :func:`own_input` returns it.
        path: Its path.
        given: Options by name; None if not given.

    Raises:
        UsageError: One was given.
    """
    for option, value in given.items():
        if value is not None:
            raise UsageError(
                f"{what} has its own {option}. Received: {path} and --{option} {value}. Leave --{option} out."
            )


def pixels_of(
    reference: Path, candidate: Path, fit: Fit | None, resize: Resize | None
) -> tuple[Fit, Resize, bool]:
    """The preprocessing of two models.

    Args:
        reference: The full model.
        candidate: The model to judge.
        fit: The user's choice, if any.
        resize: The user's choice, if any.

    Returns:
        The fit, the resize, and whether one of the models defines them.

    Raises:
        UsageError: The user's choice contradicts one of our own models.
        ModelFileError: Both are our own, and differ.
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
