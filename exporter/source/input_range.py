"""Preprocessing before the model: the pixel range of an external one, the run's or bundle's input of our own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from edge_runtime.bundle.bundle import Bundle
from edge_runtime.bundle.manifest import MANIFEST_FILE
from edge_runtime.common.errors import ModelFileError, SnapshipError, UnknownNameError, UsageError
from edge_runtime.engines.result import Float32Array
from edge_runtime.image.input_spec import Fit, InputSpec, Resize
from trainer.run.run_json import is_run, read_run

InputRange = Literal["0..255", "0..1", "-1..1", "imagenet"]
"""What pixels 0..255 become before the model.

``0..255`` stays as it is, ``0..1`` is divided by 255, ``-1..1`` is pixel / 127.5 - 1 (Keras'
MobileNet and Inception), ``imagenet`` subtracts the mean and divides by the standard
deviation of each channel, of pixels in 0..1 (torchvision's models).
"""

RANGES: tuple[str, ...] = get_args(InputRange)

IMAGENET_MEAN = (0.485, 0.456, 0.406)
"""Of R, G and B in 0..1; from torchvision.transforms' presets."""

IMAGENET_STD = (0.229, 0.224, 0.225)


def check_range(name: str) -> InputRange:
    """Returns the name of a range, checked.

    Args:
        name: What the user passed.

    Raises:
        UnknownNameError: There is no such range.
    """
    for known in RANGES:
        if name == known:
            return known  # type: ignore[return-value]
    raise UnknownNameError.of("input range", name, RANGES)


def normalisation(name: InputRange, channels: int) -> tuple[Float32Array, Float32Array]:
    """Factor and offset of each channel: value = pixel * factor + offset.

    Args:
        name: The range.
        channels: 1 or 3.

    Returns:
        Two float32 arrays ``[channels]``.

    Raises:
        UsageError: ``imagenet`` with a gray image.
    """
    if name == "imagenet" and channels != 3:
        raise UsageError(
            f"The input range imagenet must have three channels. Received: a model of {channels} channel. "
            "Pass --input-range 0..1, -1..1 or 0..255."
        )
    mean, deviation = {
        "0..255": ((0.0,), (1.0,)),
        "0..1": ((0.0,), (255.0,)),
        "-1..1": ((127.5,), (127.5,)),
        "imagenet": (
            tuple(255.0 * value for value in IMAGENET_MEAN),
            tuple(255.0 * value for value in IMAGENET_STD),
        ),
    }[name]
    spread = np.broadcast_to(np.asarray(deviation, np.float64), (channels,))
    centre = np.broadcast_to(np.asarray(mean, np.float64), (channels,))
    return (1.0 / spread).astype(np.float32), (-centre / spread).astype(np.float32)


def scaling(name: InputRange, channels: int) -> Callable[[Any], Any]:
    """The arithmetic from raw pixels to a range.

    Args:
        name: The range.
        channels: 1 or 3.

    Returns:
        float32 pixels ``[..., channels]``, 0..255 -> values in the range; a NumPy array or a tensor.

    Raises:
        UsageError: ``imagenet`` with a gray image.
    """
    factor, offset = normalisation(name, channels)
    return (lambda pixels: pixels) if name == "0..255" else (lambda pixels: pixels * factor + offset)


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
