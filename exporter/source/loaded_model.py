"""A model file in memory, whatever its format: an engine of raw pixels and scores."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from edge_runtime.bundle.manifest import TensorSpec
from edge_runtime.common.errors import ModelFileError
from edge_runtime.engines.base import ScoresOnly
from edge_runtime.engines.result import Float32Array
from edge_runtime.image.input_spec import Fit, InputSpec, Resize
from edge_runtime.image.preprocess import UInt8Array
from exporter.formats.half_precision import Feed, raw
from exporter.formats.model_files import files_sha256
from exporter.formats.sigmoid_outputs import End, single_output
from exporter.source.input_range import InputRange


@dataclass(eq=False)
class LoadedModel(ScoresOnly):
    """A model file in memory, which is an :class:`~edge_runtime.engines.Engine`.

    ::

        pixels -> the file's range, type and order -> file -> dequantized -> softmax of logits -> scores

    Attributes:
        path: The file, or a SavedModel's folder.
        name: What runs it: ``litert``, ``onnxruntime`` or ``tensorflow``.
        input_range: The pixel range it expects.
        input: The pixels it takes; ``"any"`` where a size is free.
        output: Its scores.
        computed: What :attr:`feed` returns -> float32 ``[classes]``, scores or logits.
        feed: uint8 image ``[height, width, channels]`` -> the batch of one that the file takes.
        call: TensorFlow tensor of raw pixels ``[batch, height, width, channels]`` -> float32
            ``[batch, classes]``, scores or logits; None for other formats and for a fixed batch.
        keras: The Keras model, if it is one.
        step: Size of one step of a quantized output, 0 for a float one.
        end: What its last operation gives.
        labels: Class names in the order of the scores, as the file itself has them; often empty.
        files: All files it consists of: itself, a folder's files, the weights beside an .onnx file.
        softmax: Whether its outputs are logits.
    """

    path: Path
    name: str
    input_range: InputRange
    input: TensorSpec
    output: TensorSpec
    computed: Callable[[Any], Float32Array] = field(repr=False)
    feed: Feed = raw
    call: Callable[[Any], Any] | None = None
    keras: Any | None = None
    step: float = 0.0
    end: End = "unknown"
    labels: tuple[str, ...] = ()
    files: tuple[Path, ...] = ()
    softmax: bool = False

    @property
    def classes(self) -> int:
        """Length of its score vector."""
        return int(self.output.shape[1])

    @property
    def bytes(self) -> int:
        """Size of all its files."""
        return sum(file.stat().st_size for file in self.files)

    @property
    def sha256(self) -> str:
        """Hash of all its files."""
        return files_sha256(self.path, self.files)

    @property
    def notes(self) -> tuple[str, ...]:
        """How its inputs and outputs are adapted, for people."""
        notes = []
        if self.softmax:
            notes.append(f"{self.path.name} gives logits: softmax applied")
        if self.input_range != "0..255":
            notes.append(f"{self.path.name} takes pixels in {self.input_range}")
        return tuple(notes)

    def spec(self, fit: Fit = "stretch", resize: Resize = "antialiased") -> InputSpec:
        """Its input, for a model whose sizes are fixed.

        Args:
            fit: How images become its size.
            resize: How pixels of another size are made.
        """
        height, width, channels = (int(size) for size in self.input.shape[1:])
        return InputSpec(height=height, width=width, channels=channels, fit=fit, resize=resize)

    def run(self, pixels: UInt8Array) -> Float32Array:
        """Scores one image; see :class:`~edge_runtime.engines.Engine`."""
        found = self.computed(self.feed(pixels))
        if not self.softmax:
            return found
        powers = np.exp((found - found.max()).astype(np.float64))
        scores: Float32Array = (powers / powers.sum()).astype(np.float32)
        return scores

    def close(self) -> None:
        """Releases the file."""
        self.computed, self.call, self.keras = _closed, None, None


def _closed(batch: Any) -> Float32Array:
    raise AssertionError("closed")


def image_of(path: Path, shape: Sequence[int | None]) -> tuple[TensorSpec, bool]:
    """The image that a file's input holds.

    Args:
        path: The file, for messages.
        shape: The input's sizes, None where one is free.

    Returns:
        The raw pixels that such an image is made from, ``"any"`` where a size is free; and whether the
        file has the channels first, as in PyTorch.

    Raises:
        ModelFileError: It is not a batch of one image.
    """
    if len(shape) == 4 and shape[0] in (None, 1):
        _, one, two, last = shape
        # If both could be channels, as in [1, 3, 3, 3], last is what TensorFlow writes.
        first = last not in (1, 3)
        height, width, channels = (two, last, one) if first else (one, two, last)
        if channels in (1, 3):
            return TensorSpec("image", "uint8", (1, height or "any", width or "any", channels), 1.0, 0), first
    shown = [size if size is not None else "any" for size in shape]
    raise ModelFileError(
        "A model must take one image, [1, height, width, channels] or [1, channels, height, width], with 1 "
        f"or 3 channels. Received: {path} with {shown}. Compare image classifiers."
    )


def as_batch(image: Any, first: bool) -> Any:
    """One image ``[height, width, channels]`` as a batch in a file's order.

    Args:
        image: A NumPy array.
        first: Whether the file has the channels first.
    """
    return np.ascontiguousarray(image.transpose(2, 0, 1) if first else image)[np.newaxis]


def scores_of(path: Path, shape: Sequence[Any]) -> TensorSpec:
    """The scores that a file's output holds.

    Args:
        path: The file, for messages.
        shape: The output's sizes.

    Raises:
        ModelFileError: It is not one number per class for one image.
    """
    sizes = [size for size in shape[1:] if size != 1]
    if len(sizes) == 1 and isinstance(sizes[0], int) and sizes[0] > 1:
        return TensorSpec("scores", "float32", (1, sizes[0]))
    shown = str([size if isinstance(size, int) else "any" for size in shape])
    if len(shape) > 1 and not sizes:
        raise single_output(path, shown)
    raise ModelFileError(
        f"A classifier must return one score per class, of two or more. Received: {path} with output "
        f"{shown}. Compare image classifiers."
    )
